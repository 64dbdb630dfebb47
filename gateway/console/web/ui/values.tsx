import { useEffect, useState } from 'preact/hooks'
import { toCount, toDuration, toRelative } from '../format.ts'

/** How an unknown value is shown. */
export function Unknown({ why = 'not known' }: { readonly why?: string }) {
  return (
    <span class="faint" title={why}>
      –<span class="hidden-text">{why}</span>
    </span>
  )
}

/** A whole number with its thousands parted; a dash when it is not known. */
export function Count({ value }: { readonly value: number | string | bigint | null | undefined }) {
  return value === null || value === undefined ? <Unknown /> : <span class="num">{toCount(value)}</span>
}

/** A span of time in seconds. */
export function Duration({ seconds }: { readonly seconds: number | null | undefined }) {
  return seconds === null || seconds === undefined ? <Unknown /> : <span class="num">{toDuration(seconds)}</span>
}

interface TimeProps {
  /** ISO 8601, or epoch in milliseconds. */
  readonly value: string | number | null | undefined
  /** The date and time in place of the distance. */
  readonly absolute?: boolean
  /** What stands for null. */
  readonly empty?: string
}

/** A point in time as its distance from now; the title tells it to the millisecond. */
export function Time({ value, absolute = false, empty }: TimeProps) {
  const nowMs = useNow()
  if (value === null || value === undefined) return empty ? <span class="faint">{empty}</span> : <Unknown />
  const date = new Date(value)
  if (Number.isNaN(date.getTime())) return <span>{value}</span>
  const iso = date.toISOString()
  return (
    <time class="num" dateTime={iso} title={iso}>
      {absolute ? toLocal(date) : toRelative(date.getTime(), nowMs)}
    </time>
  )
}

const local = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' })

// 2026-01-31 12:00:00 of the reader's clock: sorts and compares by eye.
function toLocal(date: Date): string {
  return local.format(date)
}

const TICK_MS = 5_000
const watchers = new Set<() => void>()
let ticker: ReturnType<typeof setInterval> | undefined

/** The time of now, in epoch milliseconds, renewed every five seconds by one timer for all. */
function useNow(): number {
  const [nowMs, setNowMs] = useState(() => Date.now())
  useEffect(() => {
    const tick = () => setNowMs(Date.now())
    watchers.add(tick)
    ticker ??= setInterval(() => {
      if (document.visibilityState === 'visible') for (const watcher of watchers) watcher()
    }, TICK_MS)
    return () => {
      watchers.delete(tick)
      if (watchers.size > 0) return
      clearInterval(ticker)
      ticker = undefined
    }
  }, [])
  // What is drawn for another reason is drawn with the time of now.
  return Math.max(nowMs, Date.now() - TICK_MS)
}
