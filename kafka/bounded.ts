import { kafkaErrors } from './errors.ts'

/**
 * Waits for `promise`, at most `timeoutMs`; what it does later is dropped without a trace.
 *
 * @throws SMG_KAFKA_UNAVAILABLE when it does not settle in time
 */
export async function bounded<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new kafkaErrors.SMG_KAFKA_UNAVAILABLE(`no answer in ${timeoutMs} ms`)), timeoutMs)
    // A process that is about to end does not wait for an answer that nothing can bring any more.
    timer.unref()
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
