/** Waits for a promise, but not longer than `timeoutMs`: then it rejects with what `toError` gives. The work goes on. */
export function within<T>(running: Promise<T>, timeoutMs: number, toError: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(toError()), timeoutMs)
    running.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
