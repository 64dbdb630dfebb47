import { useEffect, useMemo, useState } from 'preact/hooks'
import { ApiError, authorization } from './api.ts'
import { toPath } from './list-query.ts'
import { previewOf } from './preview.ts'
import { type Message, type MessageRow, toRow } from './records.ts'
import { askForToken } from './session.ts'
import { readStream, type StreamEvent, type StreamState } from './sse.ts'
import { createTail, type TailView } from './tail.ts'
import { useSession } from './use-session.ts'

// Often enough to look live; in a flood only every third time, for then hundreds of rows are laid out anew.
const DRAW_MS = 400
const CALM_ROWS = 12
const FLOOD_TURNS = 3

/** Of one topic, key and partition; empty ones do not count. */
export interface TailFilter {
  readonly topic: string
  readonly key: string
  readonly partition: string
}

export interface Tail extends TailView {
  readonly state: StreamState
  /** Why the stream was lost; empty while it was not. */
  readonly reason: string
  /** Epoch in milliseconds since when PostgreSQL is away, so that nothing arrives; null while it is there. */
  readonly awaySince: number | null
  readonly add: (rows: readonly MessageRow[]) => void
  readonly pause: () => void
  readonly resume: () => void
}

interface TailOptions {
  readonly isLive: boolean
  /** The list that the tail goes on from: another one begins another tail. */
  readonly listPath: string
}

/** Follows what arrives while it is drawn with `isLive`. The connection is let go while the tab is hidden. */
export function useTail({ topic, key, partition }: TailFilter, { isLive, listPath }: TailOptions): Tail {
  const path = toPath('/api/messages/stream', { topic, key, partition })
  const tail = useMemo(() => createTail(), [listPath, isLive])
  const [view, setView] = useState(() => tail.view())
  const [stream, setStream] = useState<{ state: StreamState; reason: string }>({ state: 'opening', reason: '' })
  const [awaySince, setAwaySince] = useState<number | null>(null)
  const isVisible = useVisible()
  const token = useSession()

  useEffect(() => {
    let isDrawn = true
    const draw = () => {
      const next = tail.view()
      setView(current => (isSame(current, next) ? current : next))
    }
    draw()
    let turn = 0
    const timer = setInterval(() => {
      turn += 1
      if (isDrawn && (tail.waiting() <= CALM_ROWS || turn % FLOOD_TURNS === 0)) draw()
    }, DRAW_MS)
    return () => {
      isDrawn = false
      clearInterval(timer)
    }
  }, [tail])

  useEffect(() => {
    if (!isLive || !isVisible) return
    const ended = new AbortController()
    void readStream({
      open: (lastId, signal) => openStream(path, lastId, signal),
      onEvent: event => take(event),
      onState(state, reason) {
        setStream({ state, reason: reason instanceof Error ? reason.message : '' })
        // What another stream said does not hold for this one, which says it again where it is so.
        if (state === 'open') setAwaySince(null)
      },
      signal: ended.signal
    })
    return () => ended.abort()

    function take({ type, data }: StreamEvent) {
      if (type === 'message') tail.add([toRow(JSON.parse(data) as Message, previewOf)])
      else if (type === 'skipped') tail.skip((JSON.parse(data) as { count: number | null }).count)
      else if (type === 'away') setAwaySince(Date.now())
      else if (type === 'back') setAwaySince(null)
    }
    // Who signs in gets a stream at once, and none that was opened as somebody else.
  }, [path, tail, isLive, isVisible, token])

  const { add, pause, resume } = tail
  return { ...view, ...stream, awaySince, add, pause, resume }
}

async function openStream(path: string, lastId: string | null, signal: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { accept: 'text/event-stream', ...authorization() }
  if (lastId !== null) headers['last-event-id'] = lastId
  const response = await fetch(path, { headers, credentials: 'omit', signal })
  if (response.status === 401) askForToken()
  if (response.ok) return response
  const detail = `The gateway answered with status ${response.status}.`
  throw new ApiError({ code: 'HTTP', status: response.status, title: `HTTP ${response.status}`, detail })
}

function isSame(a: TailView, b: TailView): boolean {
  const isSameCount = a.held === b.held && a.skipped === b.skipped && a.isCounted === b.isCounted
  return isSameCount && a.rows === b.rows && a.isPaused === b.isPaused
}

function useVisible(): boolean {
  const [isVisible, setIsVisible] = useState(() => document.visibilityState === 'visible')
  useEffect(() => {
    const update = () => setIsVisible(document.visibilityState === 'visible')
    document.addEventListener('visibilitychange', update)
    return () => document.removeEventListener('visibilitychange', update)
  }, [])
  return isVisible
}
