import { useCallback, useState } from 'preact/hooks'

export interface Action {
  /** Runs it; gives its result, or undefined when it failed. */
  readonly run: <T>(act: () => Promise<T>) => Promise<T | undefined>
  readonly isBusy: boolean
  /** Why the last one failed; null when it did not. */
  readonly error: Error | null
  readonly clear: () => void
}

/** What a button does: once at a time, with the error of the last time. */
export function useAction(): Action {
  const [isBusy, setIsBusy] = useState(false)
  const [error, setError] = useState<Error | null>(null)

  const run = useCallback(async <T>(act: () => Promise<T>): Promise<T | undefined> => {
    setIsBusy(true)
    setError(null)
    try {
      return await act()
    } catch (caught) {
      setError(caught instanceof Error ? caught : new Error(String(caught)))
      return undefined
    } finally {
      setIsBusy(false)
    }
  }, [])
  const clear = useCallback(() => setError(null), [])
  return { run, isBusy, error, clear }
}
