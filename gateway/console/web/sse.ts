/** One event of a stream. */
export interface StreamEvent {
  /** `message` unless the stream says another. */
  readonly type: string
  readonly data: string
}

/** `opening` also after a loss, while it is tried again. */
export type StreamState = 'opening' | 'open' | 'lost'

interface StreamOptions {
  /** Asks for the stream; `lastId` is that of the last event that came, null before the first. Rejects, or answers with an error, when there is none. */
  readonly open: (lastId: string | null, signal: AbortSignal) => Promise<Response>
  readonly onEvent: (event: StreamEvent) => void
  /** `reason` tells why a stream was lost. */
  readonly onState: (state: StreamState, reason?: unknown) => void
  /** Ends it for good. */
  readonly signal: AbortSignal
  /** Wait before the first try after a loss, in milliseconds; each further one takes twice as long. */
  readonly backoffMs?: number
  readonly maxBackoffMs?: number
  /** A stream that says nothing for so long, not even that it lives, is lost. */
  readonly silenceMs?: number
  /** A stream that lives so long is none that is cut at once: the wait after it is the first again. */
  readonly steadyMs?: number
}

/**
 * Reads server-sent events until it is aborted, and goes on behind the last one when the stream is lost. EventSource cannot
 * send a token but in the URL, where logs keep it. Resolves when it is aborted; rejects never.
 */
export async function readStream({ open, onEvent, onState, signal, ...options }: StreamOptions): Promise<void> {
  const { backoffMs = 500, maxBackoffMs = 30_000, silenceMs = 45_000, steadyMs = 5_000 } = options
  let lastId: string | null = null
  let losses = 0

  while (!signal.aborted) {
    onState('opening')
    const reason = await readOnce().catch((error: unknown) => error)
    if (signal.aborted) return
    onState('lost', reason)
    await pause(Math.min(backoffMs * 2 ** losses, maxBackoffMs) * (0.75 + Math.random() / 2), signal)
    losses += 1
  }

  async function readOnce(): Promise<void> {
    const silence = new AbortController()
    const one = AbortSignal.any([signal, silence.signal])
    let timer = setTimeout(() => silence.abort(), silenceMs)
    let steady: ReturnType<typeof setTimeout> | undefined
    try {
      const response = await open(lastId, one)
      const reader = response.body?.getReader()
      if (!reader) return
      onState('open')
      // A proxy may accept every stream, pass a greeting on, and cut it: neither says that the wait can be short.
      steady = setTimeout(forgetLosses, steadyMs)
      const decoder = new TextDecoder()
      const take = createEventParser(
        event => {
          forgetLosses()
          onEvent(event)
        },
        id => {
          lastId = id
        }
      )
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
        clearTimeout(timer)
        timer = setTimeout(() => silence.abort(), silenceMs)
        take(decoder.decode(chunk.value, { stream: true }))
      }
    } finally {
      clearTimeout(timer)
      clearTimeout(steady)
      // Whatever ended it: the connection is not kept.
      silence.abort()
    }
  }

  function forgetLosses() {
    losses = 0
  }
}

/**
 * Builds a parser of `text/event-stream`, which takes its text in pieces.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function createEventParser(onEvent: (event: StreamEvent) => void, onId: (id: string) => void) {
  let rest = ''
  let type = ''
  let data: string[] = []

  return function take(text: string): void {
    // Only what is new can hold the end of a line: an event of a megabyte comes in many pieces.
    let searchFrom = rest.length
    rest += text
    let begin = 0
    for (let end = rest.indexOf('\n', searchFrom); end !== -1; end = rest.indexOf('\n', searchFrom)) {
      takeLine(rest.slice(begin, rest[end - 1] === '\r' ? Math.max(begin, end - 1) : end))
      begin = end + 1
      searchFrom = begin
    }
    rest = rest.slice(begin)
  }

  function takeLine(line: string) {
    if (line === '') return dispatch()
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') data.push(value)
    else if (field === 'event') type = value
    else if (field === 'id' && !value.includes('\0')) onId(value)
  }

  function dispatch() {
    const event = { type: type || 'message', data: data.join('\n') }
    const isEmpty = data.length === 0
    type = ''
    data = []
    if (!isEmpty) onEvent(event)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(end, signal.aborted ? 0 : ms)
    signal.addEventListener('abort', end, { once: true })
    function end() {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
  })
}
