const KEY = 'smg-kafka.token'
let isAsked = false
/** Somebody closed the question: it does not come back by itself, however often the gateway says no. */
let isDismissed = false
const listeners = new Set<() => void>()

/** The bearer token of this tab; null without one. */
export function readToken(): string | null {
  return sessionStorage.getItem(KEY)
}

/** Keeps a token until the tab is closed; null forgets it. */
export function writeToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(KEY)
  else sessionStorage.setItem(KEY, token)
  isAsked = false
  isDismissed = false
  tell()
}

/** Says that the gateway wants a token, or another one. */
export function askForToken(): void {
  if (isAsked || isDismissed) return
  isAsked = true
  tell()
}

/** Asks again after the question was closed. */
export function reopenSignIn(): void {
  isDismissed = false
  askForToken()
}

/** Closes the question without an answer. */
export function dismissToken(): void {
  isAsked = false
  isDismissed = true
  tell()
}

export function isTokenWanted(): boolean {
  return isAsked
}

/** Tells when a token is wanted, given or forgotten, until the function that it gives is called. */
export function onSession(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function tell() {
  for (const listener of listeners) listener()
}
