import { toChosen, toCount, toCounts, toNumber } from './options.ts'
import type { Values } from './types.ts'

/** Under what our runner drains. */
export interface Conditions {
  /** Of each topic. */
  readonly partitions: number
  /** Of an event's value, about. */
  readonly bytes: number
  /** Each with a topic of its own, in one runner. */
  readonly functions: number
  /** In both tables before. */
  readonly rows: number
}

export type Cause = keyof Conditions

/** One measured place: the base with one cause at another value, or the base itself. */
export interface Point extends Conditions {
  readonly name: string
  /** Of all topics together. */
  readonly events: number
}

const CAUSES = ['partitions', 'bytes', 'functions', 'rows'] as const satisfies readonly Cause[]
export const BASE: Conditions = { partitions: 3, bytes: 200, functions: 1, rows: 0 }
export const BASE_NAME = 'base'

/** The causes that are asked for; all without `--only`. Throws for one that is not known. */
export function toCauses(values: Values): readonly Cause[] {
  return toChosen(values, 'only', CAUSES)
}

/** The name of the point where one cause has this value. */
export function toPointName(cause: Cause, value: number): string {
  return value === BASE[cause] ? BASE_NAME : `${cause} ${value}`
}

/** The base, and each cause's values alone; every point once. Large events are fewer, so that no run takes long. */
export function toPoints(values: Values): Point[] {
  const [events, maxBytes] = [toCount(values, 'events'), toNumber(values, 'megabytes') * 1e6]
  const varied = toCauses(values).flatMap(cause =>
    toCounts(values, cause).map(value => ({ name: toPointName(cause, value), ...BASE, [cause]: value }))
  )
  const points = new Map([{ name: BASE_NAME, ...BASE }, ...varied].map(point => [point.name, point]))
  return [...points.values()].map(point => ({
    ...point,
    events: Math.min(events, Math.floor(maxBytes / point.bytes))
  }))
}
