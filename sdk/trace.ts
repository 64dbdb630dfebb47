import { type IdentifiedRecord, textOf } from './record.ts'

// https://www.w3.org/TR/trace-context/#traceparent-header
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** The trace id of a `traceparent`; undefined for anything that is none. */
export function findTraceId(traceparent: unknown): string | undefined {
  return typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.[1] : undefined
}

/** The trace id of a record; undefined without one. */
export function traceIdOf({ headers }: Pick<IdentifiedRecord, 'headers'>): string | undefined {
  return findTraceId(findTraceparent({ headers }))
}

/** The first `traceparent` of a record, whatever it says. */
export function findTraceparent({ headers }: Pick<IdentifiedRecord, 'headers'>): string | undefined {
  const index = headers.findIndex(([name]) => name === 'traceparent')
  const header = headers[index]
  return header && textOf(header, index)
}
