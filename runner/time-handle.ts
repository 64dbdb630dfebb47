import type { LoadedFunction } from '../sdk/types.ts'

/** Gives a function that tells how long each call of its handler took, in seconds; it does what it did. */
export function timeHandle(definition: LoadedFunction, onTimed: (seconds: number) => void): LoadedFunction {
  const { handle } = definition
  if (!handle) return definition

  const timed: typeof handle = (input, context) => {
    const startedMs = performance.now()
    let effect: unknown
    try {
      effect = handle(input, context)
    } finally {
      // No other thenable: to ask one for its result may be what makes it begin, a second time then.
      if (effect instanceof Promise) effect.then(tell, tell)
      else tell()
    }
    return effect

    function tell() {
      onTimed((performance.now() - startedMs) / 1000)
    }
  }
  // The number of its parameters says whether it takes a context.
  Object.defineProperty(timed, 'length', { value: handle.length })
  return { ...definition, handle: timed }
}
