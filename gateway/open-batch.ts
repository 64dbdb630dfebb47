import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import type { LoadedFunction } from '../sdk/types.ts'
import { beginReading } from './body-readers.ts'
import type { AppSettings } from './config.ts'
import { gatewayErrors } from './errors.ts'
import { type ParsedEvent, parseBatch } from './parse-batch.ts'
import { parseLines } from './parse-lines.ts'
import { readBody, toGone } from './read-body.ts'

interface OpenOptions {
  readonly settings: Pick<AppSettings, 'batchBodyBytes' | 'ndjsonBodyBytes'>
  readonly closing: AbortSignal
  /** Everything is held before anything is done with it. */
  readonly isHeld: boolean
}

/** The events of a batch, however they come. */
interface OpenBatch {
  /** In their order, none of them empty; to be gone through once. */
  readonly groups: Iterable<readonly ParsedEvent[]> | AsyncIterable<readonly ParsedEvent[]>
  /** JSON pointer of the list of events in the body. */
  readonly place: string
  /** SHA-256 of the body in hex, once all groups were gone through and if everything is held. */
  readonly bodyHash: () => string
}

/**
 * Opens the body of a batch: JSON, which is here, or NDJSON, which is still coming.
 *
 * @throws SMG_GATEWAY_INVALID when JSON is no batch, SMG_GATEWAY_TOO_LARGE when NDJSON says that it is too long, and
 *   SMG_GATEWAY_MALFORMED when its client has an answer already
 */
export function openBatch(request: FastifyRequest, definition: LoadedFunction, options: OpenOptions): OpenBatch {
  const { body, bodyBytes } = request
  if (body instanceof Readable) return openLines(request, body, { ...options, definition })

  const bytes = bodyBytes ?? Buffer.alloc(0)
  const bodyHash = () => createHash('sha256').update(bytes).digest('hex')
  return { groups: [parseBatch(bytes, definition)], place: '/events', bodyHash }
}

function openLines(
  { headers, raw }: FastifyRequest,
  payload: Readable,
  { definition, settings, closing, isHeld }: OpenOptions & { definition: LoadedFunction }
): OpenBatch {
  const maxBytes = isHeld ? settings.batchBodyBytes : settings.ndjsonBodyBytes
  if (Number(headers['content-length']) > maxBytes) throw new gatewayErrors.SMG_GATEWAY_TOO_LARGE(maxBytes)

  const slow = new AbortController()
  if (!beginReading(raw, () => slow.abort())) throw toGone()

  // The same bytes as JSON are another request.
  const hash = createHash('sha256').update('application/x-ndjson\n')
  const chunks = readBody(payload, {
    maxBytes,
    slow: slow.signal,
    closing,
    onChunk: isHeld ? chunk => void hash.update(chunk) : undefined
  })
  return { groups: parseLines(chunks, definition), place: '', bodyHash: () => hash.digest('hex') }
}
