import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { explain, getJson, type Polled, usePoll } from '../api.ts'
import type { List } from '../shapes.ts'
import { Button } from './button.tsx'
import { toast } from './toast.tsx'

/** A list that grows at its end: the newest page is polled, older ones are fetched when somebody asks for them. */
export interface LongList<T> extends Polled<List<T>> {
  /** Undefined before the first answer. */
  readonly items: readonly T[] | undefined
  readonly hasMore: boolean
  readonly isFetching: boolean
  readonly more: () => Promise<void>
}

/** Older items that are kept at most: who looks for more narrows the filters. */
const MAX_OLDER = 2_000

interface Older<T> {
  readonly path: string
  readonly items: readonly T[]
  readonly nextCursor: string | null
}

/** Reads a list of the gateway, `path` with its filters and without a cursor. */
export function useLongList<T extends { readonly id: string }>(path: string, everyMs: number): LongList<T> {
  const newest = usePoll<List<T>>(path, everyMs)
  const [older, setOlder] = useState<Older<T> | null>(null)
  const [isFetching, setIsFetching] = useState(false)
  useEffect(() => setOlder(null), [path])

  const own = older?.path === path ? older : null
  const nextCursor = own ? own.nextCursor : (newest.data?.nextCursor ?? null)
  const more = async () => {
    if (nextCursor === null || !newest.data) return
    setIsFetching(true)
    try {
      const join = path.includes('?') ? '&' : '?'
      const page = await getJson<List<T>>(`${path}${join}cursor=${encodeURIComponent(nextCursor)}`)
      // What the newest page showed when the first older one was asked for: new items push it down, out of that page.
      const before = own?.items ?? newest.data.items
      setOlder({ path, items: [...before, ...page.items].slice(0, MAX_OLDER), nextCursor: page.nextCursor })
    } catch (error) {
      toast(explain(error), 'bad')
    } finally {
      setIsFetching(false)
    }
  }
  return { ...newest, items: merge(newest.data?.items, own?.items), hasMore: nextCursor !== null, isFetching, more }
}

/** Newest first, each item once; an item of both is taken as it is now. */
function merge<T extends { readonly id: string }>(
  newest: readonly T[] | undefined,
  older: readonly T[] | undefined
): readonly T[] | undefined {
  if (!newest || !older) return newest
  const ids = new Set(newest.map(({ id }) => id))
  return [...newest, ...older.filter(({ id }) => !ids.has(id))]
}

interface MoreProps {
  readonly of: Pick<LongList<unknown>, 'hasMore' | 'isFetching' | 'more'>
  readonly children?: ComponentChildren
}

/** Fetches what is older; nothing at the end of the list. */
export function More({ of: { hasMore, isFetching, more }, children = 'Show older' }: MoreProps) {
  if (!hasMore) return null
  return (
    <div class="more">
      <Button small busy={isFetching} onClick={more}>
        {children}
      </Button>
    </div>
  )
}
