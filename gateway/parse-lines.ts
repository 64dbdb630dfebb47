import { type BadJsonError, parseJson } from '../sdk/parse-json.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import { gatewayErrors } from './errors.ts'
import { type ParsedEvent, toInvalid } from './parse-batch.ts'
import { MAX_EMPTY_LINES, MAX_EVENT_BYTES, MAX_LINES } from './sizes.ts'
import { createLineSplitter, type Line } from './split-lines.ts'

const TOO_EMPTY = { path: '', message: `has more than ${MAX_EMPTY_LINES} empty lines` }

/**
 * Parses a body of one event a line (NDJSON), and gives the events of the lines that have come, in their order. A line that is wrong
 * becomes an error in its place. What is sent is the line as it came.
 *
 * @throws SMG_GATEWAY_TOO_MANY_EVENTS after the last event that is allowed, SMG_GATEWAY_INVALID when there is none at all
 *   or too many lines are empty, and what the reading of `chunks` throws
 */
export async function* parseLines(
  chunks: AsyncIterable<Buffer>,
  definition: LoadedFunction
): AsyncGenerator<readonly ParsedEvent[], void> {
  const splitter = createLineSplitter(MAX_EVENT_BYTES)
  let count = 0

  for await (const chunk of chunks) {
    yield* take(splitter.push(chunk))
    if (splitter.emptyCount() > MAX_EMPTY_LINES) throw toInvalid([TOO_EMPTY])
  }
  yield* take(splitter.end())
  if (count === 0) throw toInvalid([{ path: '', message: 'holds no event' }])

  function* take(lines: readonly Line[]) {
    const allowed = lines.slice(0, MAX_LINES - count)
    count += allowed.length
    if (allowed.length > 0) yield allowed.map(line => parseLine(line, definition))
    if (allowed.length < lines.length) throw new gatewayErrors.SMG_GATEWAY_TOO_MANY_EVENTS(MAX_LINES)
  }
}

function parseLine(line: Line, definition: LoadedFunction): ParsedEvent {
  if (line === null) return { error: new gatewayErrors.SMG_GATEWAY_TOO_LARGE(MAX_EVENT_BYTES) }
  try {
    const event = parseJson(line)
    const faults = definition.findFaults(event)
    return faults ? { error: toInvalid(faults) } : { event, value: line }
  } catch (thrown) {
    return { error: toInvalid((thrown as BadJsonError).faults) }
  }
}
