/** What was seen of a value, point by point: as many points at most as it was told. */
export interface Trail {
  /** Epoch in seconds, rising. */
  readonly times: readonly number[]
  readonly series: readonly (readonly (number | null)[])[]
}

export const EMPTY_TRAIL: Trail = { times: [], series: [] }

/** Gives a trail with one more point, without its oldest when it is full; a time that does not rise adds nothing. */
export function addPoint(trail: Trail, atMs: number, values: readonly (number | null)[], maxPoints: number): Trail {
  const at = atMs / 1000
  if (at <= (trail.times.at(-1) ?? 0)) return trail
  const keep = 1 - maxPoints
  return {
    times: [...trail.times.slice(keep), at],
    series: values.map((value, index) => [...(trail.series[index] ?? []).slice(keep), value])
  }
}
