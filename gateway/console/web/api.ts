import { useCallback, useLayoutEffect, useState } from 'preact/hooks'
import { createPoll, type Poll, type PollState } from './poll.ts'
import { askForToken, readToken } from './session.ts'

/** An error of the gateway, RFC 9457. */
export interface Problem {
  readonly code: string
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly errors?: readonly { readonly path: string; readonly message: string }[]
}

/** Why a request gave nothing; `status` is 0 when no answer came at all. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail || problem.title)
    this.problem = problem
  }

  get status(): number {
    return this.problem.status
  }
}

interface RequestOptions {
  readonly signal?: AbortSignal
  /** Answers that are no failure here; their body is given as any other. */
  readonly accept?: readonly number[]
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Gives the JSON of a path of this gateway.
 *
 * @throws ApiError, or the reason of `signal`
 */
export function getJson<T>(path: string, options: RequestOptions = {}): Promise<T> {
  return send<T>(path, { method: 'GET' }, options)
}

/** Posts JSON and gives the answer's. @throws ApiError, or the reason of `signal` */
export function postJson<T>(path: string, body: unknown = {}, options: RequestOptions = {}): Promise<T> {
  const headers = { 'content-type': 'application/json' }
  return send<T>(path, { method: 'POST', headers, body: JSON.stringify(body) }, options)
}

/** Asks to delete what is at a path, and gives the answer. @throws ApiError, or the reason of `signal` */
export function deleteJson<T>(path: string, options: RequestOptions = {}): Promise<T> {
  return send<T>(path, { method: 'DELETE' }, options)
}

/** The fields that say who asks: none without a token. */
export function authorization(): Record<string, string> {
  const token = readToken()
  return token ? { authorization: `Bearer ${token}` } : {}
}

async function send<T>(path: string, init: RequestInit, { signal, accept = [], headers }: RequestOptions): Promise<T> {
  const fields = { accept: 'application/json', ...init.headers, ...headers, ...authorization() }
  const response = await fetch(path, { ...init, headers: fields, credentials: 'omit', signal: signal ?? null }).catch(
    error => {
      if (signal?.aborted) throw error
      throw new ApiError(unreachable)
    }
  )
  if (response.status === 401) askForToken()
  if (response.status === 204) return null as T
  if (response.ok) {
    // A body that is cut off is no answer: what was known before stays.
    return await response.json().catch(error => {
      if (signal?.aborted) throw error
      throw new ApiError({ ...unreadable, status: response.status })
    })
  }
  const body = await response.json().catch(() => null)
  if (body !== null && accept.includes(response.status)) return body as T
  throw new ApiError(toProblem(response.status, body))
}

const unreachable: Problem = {
  code: 'UNREACHABLE',
  status: 0,
  title: 'No answer',
  detail: 'The gateway does not answer. It may be restarting, or this machine is offline.'
}

const unreadable: Problem = {
  code: 'UNREADABLE',
  status: 0,
  title: 'Unreadable answer',
  detail: 'The answer was cut off, or is not of the gateway. A change that was asked for may have been made.'
}

// A proxy in between answers with what it likes.
function toProblem(status: number, body: Partial<Problem> | null): Problem {
  const known = typeof body?.code === 'string' ? body : {}
  return {
    code: 'HTTP',
    title: `HTTP ${status}`,
    detail: `The gateway answered with status ${status}.`,
    ...known,
    status
  }
}

/** Says what an error means to somebody who did not write this. */
export function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export interface Polled<T> extends PollState<T> {
  /** Asks at once, and gives when the answer is there. */
  readonly reload: () => Promise<void>
}

// Left pages keep their last answer, so that coming back shows something at once; the oldest goes first.
const MAX_KEPT = 40
const polls = new Map<string, Poll<unknown>>()

interface PollOptions {
  readonly accept?: readonly number[]
}

/**
 * Asks a path again and again, and keeps its last good answer. Whoever asks for the same path shares one poll. Null asks
 * for nothing. Rests while the tab is hidden, never has two requests under way, and comes less often after failures.
 */
export function usePoll<T>(path: string | null, everyMs: number, options: PollOptions = {}): Polled<T> {
  const poll = path === null ? null : findPoll<T>(path, options)
  const [, refresh] = useState(0)

  // Not after the first paint, as effects are: on a busy machine the answers would come that much later.
  useLayoutEffect(() => poll?.subscribe(() => refresh(count => count + 1), everyMs), [poll, everyMs])
  const reload = useCallback(async () => poll?.reload(), [poll])
  return { ...(poll?.read() ?? (IDLE as PollState<T>)), reload }
}

const IDLE: PollState<never> = { data: undefined, error: null, staleSince: null, loadedAt: null, isLoading: false }

function findPoll<T>(path: string, { accept = [] }: PollOptions): Poll<T> {
  const known = polls.get(path) as Poll<T> | undefined
  if (known) return known
  const poll = createPoll<T>({
    load: signal => getJson<T>(path, { signal, accept }),
    isHidden: () => document.visibilityState === 'hidden',
    now: () => Date.now()
  })
  polls.set(path, poll as Poll<unknown>)
  for (const [key, one] of polls) {
    if (polls.size <= MAX_KEPT) break
    if (key !== path && one.isIdle()) polls.delete(key)
  }
  return poll
}

/** Asks all that is watched again: who asks has changed, or the tab is looked at again. */
export function wakePolls(): void {
  for (const poll of polls.values()) poll.wake()
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') wakePolls()
})
