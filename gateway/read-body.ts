import type { Readable } from 'node:stream'
import { gatewayErrors, withExtras } from './errors.ts'

/** The connection ends with this answer. */
const LAST = { headers: { connection: 'close' } }

interface ReadOptions {
  readonly maxBytes: number
  /** Aborted when the request takes too long, the pauses included in which nobody asks for more of it. */
  readonly slow: AbortSignal
  /** Ends the reading. */
  readonly closing: AbortSignal
  /** Told of each chunk before it is given. */
  readonly onChunk?: ((chunk: Buffer) => void) | undefined
}

/**
 * Gives the bytes of a body as they come. While nobody asks for more, nothing is read, and the client is held up. What is
 * left of the body when the reading ends early is let through unread, so that the client can take its answer.
 *
 * @throws SMG_GATEWAY_TOO_LARGE | SMG_GATEWAY_SLOW | SMG_GATEWAY_CLOSING, and SMG_GATEWAY_MALFORMED when the client has gone
 */
export async function* readBody(payload: Readable, options: ReadOptions): AsyncGenerator<Buffer, void> {
  const { maxBytes, slow, closing, onChunk } = options
  let failure: Error | null = null
  let bytes = 0
  let wake: () => void = () => undefined

  function fail(error: Error) {
    failure ??= error
    wake()
  }
  const onProgress = () => wake()
  // Also told of the end of a body that is whole.
  const onGone = (cause?: unknown) => payload.readableEnded || fail(withExtras(toGone(), { cause }))
  const onClosing = () => fail(withExtras(new gatewayErrors.SMG_GATEWAY_CLOSING(), { ...LAST, retryAfterSeconds: 1 }))
  const onSlow = () => fail(withExtras(new gatewayErrors.SMG_GATEWAY_SLOW(), LAST))

  slow.addEventListener('abort', onSlow)
  closing.addEventListener('abort', onClosing)
  payload.on('readable', onProgress).on('end', onProgress).on('error', onGone).on('close', onGone)
  if (slow.aborted) onSlow()
  if (closing.aborted) onClosing()
  try {
    for (;;) {
      if (failure) throw failure
      const chunk: Buffer | null = payload.read()
      if (chunk !== null) {
        bytes += chunk.length
        if (bytes > maxBytes) throw new gatewayErrors.SMG_GATEWAY_TOO_LARGE(maxBytes)
        onChunk?.(chunk)
        yield chunk
      } else if (payload.readableEnded) {
        return
      } else if (payload.destroyed) {
        throw toGone()
      } else {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  } finally {
    slow.removeEventListener('abort', onSlow)
    closing.removeEventListener('abort', onClosing)
    payload.off('readable', onProgress).off('end', onProgress).off('error', onGone).off('close', onGone)
    payload.resume()
  }
}

/** The error of a body whose client has gone, or got another answer. */
export function toGone() {
  return new gatewayErrors.SMG_GATEWAY_MALFORMED('the body ends too early')
}
