/** What a poll knows. */
export interface PollState<T> {
  /** The last good answer; undefined before the first. */
  readonly data: T | undefined
  /** Of the last request, null when it went well. */
  readonly error: Error | null
  /** Epoch in milliseconds: since when nothing new came, while requests fail; null while all is well. */
  readonly staleSince: number | null
  /** Epoch in milliseconds of the last good answer. */
  readonly loadedAt: number | null
  /** True until the first answer, good or bad. */
  readonly isLoading: boolean
}

export interface Poll<T> {
  /** The same object until something changes. */
  read(): PollState<T>
  /** Keeps asking until the function that it gives is called; the shortest interval of all listeners counts. */
  subscribe(listener: () => void, everyMs: number): () => void
  /** Asks at once, also when a request is under way: its answer may be older than what was just done. */
  reload(): Promise<void>
  /** Asks now if somebody listens and nothing is under way. */
  wake(): void
  isIdle(): boolean
}

interface PollDependencies<T> {
  readonly load: (signal: AbortSignal) => Promise<T>
  readonly isHidden: () => boolean
  readonly now: () => number
  /** For one request, in milliseconds. */
  readonly timeoutMs?: number
  readonly maxBackoffMs?: number
}

const LATE = new Error('No answer in time.')

/** Builds a poll; nothing is asked before the first listener. */
export function createPoll<T>(dependencies: PollDependencies<T>): Poll<T> {
  const { load, isHidden, now, timeoutMs = 10_000, maxBackoffMs = 30_000 } = dependencies
  const listeners = new Map<() => void, number>()
  let state: PollState<T> = { data: undefined, error: null, staleSince: null, loadedAt: null, isLoading: true }
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | null = null
  let abort = new AbortController()
  let failures = 0

  return {
    read: () => state,
    subscribe(listener, everyMs) {
      listeners.set(listener, everyMs)
      // Who listens anew gets a fresh answer, unless there is one of this interval.
      if (!running) plan(state.loadedAt === null ? 0 : Math.max(0, state.loadedAt + everyMs - now()))
      return () => {
        listeners.delete(listener)
        // Who only changes the interval listens again at once: the request under way is theirs as well.
        queueMicrotask(() => {
          if (listeners.size > 0) return
          clearTimeout(timer)
          abort.abort()
        })
      }
    },
    async reload() {
      abort.abort()
      await running
      await ask()
    },
    wake() {
      if (listeners.size > 0 && !running) plan(0)
    },
    isIdle: () => listeners.size === 0
  }

  function plan(waitMs: number) {
    clearTimeout(timer)
    if (listeners.size === 0 || isHidden()) return
    timer = setTimeout(() => void ask(), waitMs)
  }

  function ask(): Promise<void> {
    running ??= askOnce().then(isDone => {
      running = null
      plan(isDone ? nextMs() : 0)
    })
    return running
  }

  /** False when the request was given up by us: that says nothing about the gateway, and whoever listens still waits. */
  async function askOnce(): Promise<boolean> {
    clearTimeout(timer)
    abort = new AbortController()
    const { signal } = abort
    const late = setTimeout(() => abort.abort(LATE), timeoutMs)
    try {
      const data = await load(signal)
      failures = 0
      state = { data, error: null, staleSince: null, loadedAt: now(), isLoading: false }
    } catch (error) {
      if (signal.aborted && signal.reason !== LATE) return false
      failures += 1
      state = { ...state, error: toError(error), staleSince: state.loadedAt, isLoading: false }
    } finally {
      clearTimeout(late)
    }
    for (const listener of listeners.keys()) listener()
    return true
  }

  function nextMs(): number {
    const everyMs = Math.min(...listeners.values())
    return failures === 0 ? everyMs : Math.min(everyMs * 2 ** failures, Math.max(everyMs, maxBackoffMs))
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
