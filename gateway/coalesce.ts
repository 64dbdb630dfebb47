/**
 * Lets callers that come at once share one run. A caller never gets a run that began before it came: what it did before
 * is in what it reads.
 */
export function coalesce<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null
  let next: Promise<T> | null = null

  return () => {
    if (!running) return start()
    next ??= running.then(start, start)
    return next
  }

  function start(): Promise<T> {
    next = null
    const started = run().finally(() => {
      if (running === started) running = null
    })
    running = started
    return started
  }
}
