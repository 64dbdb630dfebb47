/** Counts by key; null, for a record without one, is never counted. */
export interface KeyCounts {
  add(key: string | null): void
  remove(key: string | null): void
  /** Whether there is any of this key. */
  has(key: string | null): boolean
  isEmpty(): boolean
  clear(): void
}

/** Builds counts that are all zero. */
export function createKeyCounts(): KeyCounts {
  const counts = new Map<string, number>()

  return {
    add(key) {
      if (key !== null) counts.set(key, (counts.get(key) ?? 0) + 1)
    },
    remove(key) {
      if (key === null) return
      const others = (counts.get(key) ?? 1) - 1
      if (others <= 0) counts.delete(key)
      else counts.set(key, others)
    },
    has: key => key !== null && counts.has(key),
    isEmpty: () => counts.size === 0,
    clear: () => counts.clear()
  }
}
