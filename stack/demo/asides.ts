/** Something to be done now and then. */
export interface Aside {
  readonly everyMs: number
  readonly run: () => Promise<void>
}

/** Builds what is done beside the main work: each in its own time, and never twice at once. */
export function createAsides(asides: readonly Aside[], onFatal: (error: unknown) => void) {
  const entries = asides.map(aside => ({ ...aside, nextMs: aside.everyMs, work: null as Promise<void> | null }))

  return {
    /** Begins what is due. */
    begin(elapsedMs: number) {
      for (const entry of entries) {
        if (entry.work || elapsedMs < entry.nextMs) continue
        entry.nextMs = elapsedMs + entry.everyMs
        entry.work = entry
          .run()
          .catch(onFatal)
          .finally(() => {
            entry.work = null
          })
      }
    },
    async settled() {
      await Promise.all(entries.map(({ work }) => work))
    }
  }
}
