import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { getJson } from './api.ts'
import { createPoll, type PollState } from './poll.ts'
import { onSession } from './session.ts'

export interface List<Row> {
  readonly rows: readonly Row[]
  readonly nextCursor: string | null
}

/**
 * Asks a list again and again, as `usePoll` does, and keeps a row of each item in place of the item: those of a page may hold
 * many megabytes. `toRow` has to be the same function at every call. Null asks for nothing.
 */
export function useList<Item, Row>(path: string | null, everyMs: number, toRow: (item: Item) => Row) {
  const poll = useMemo(() => {
    if (path === null) return null
    return createPoll<List<Row>>({
      async load(signal) {
        const page = await getJson<{ items: readonly Item[]; nextCursor: string | null }>(path, { signal })
        return { rows: page.items.map(toRow), nextCursor: page.nextCursor }
      },
      isHidden: () => document.visibilityState === 'hidden',
      now: () => Date.now()
    })
  }, [path, toRow])
  const [, refresh] = useState(0)

  useEffect(() => poll?.subscribe(() => refresh(count => count + 1), everyMs), [poll, everyMs])
  useEffect(() => {
    const wake = () => document.visibilityState === 'visible' && poll?.wake()
    document.addEventListener('visibilitychange', wake)
    // Who signs in does not wait for what was planned after the refusals.
    const forget = onSession(() => poll?.wake())
    return () => {
      document.removeEventListener('visibilitychange', wake)
      forget()
    }
  }, [poll])
  const reload = async () => poll?.reload()

  const state = poll?.read() ?? (NOTHING as PollState<List<Row>>)
  // What was listed stays until the answer to another question is there: nothing flickers.
  const shown = useRef<List<Row> | undefined>(undefined)
  if (state.data) shown.current = state.data
  const data = state.isLoading ? shown.current : state.data
  // Such a list answers another question than the one of `path`.
  const isPrevious = data !== undefined && state.data === undefined
  return { ...state, data, isPrevious, reload }
}

const NOTHING: PollState<never> = { data: undefined, error: null, staleSince: null, loadedAt: null, isLoading: false }
