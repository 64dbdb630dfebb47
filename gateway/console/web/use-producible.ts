import { useMemo } from 'preact/hooks'
import { type Polled, usePoll } from './api.ts'
import { type Description, type Producible, toProducible } from './producible.ts'
import type { FunctionShape, List } from './shapes.ts'
import type { JsonSchema } from './ui/schema-form-draft.ts'

const EVERY_MS = 30_000

/**
 * Gives what can be produced to. The functions with their states need PostgreSQL, and producing does not: while it is away
 * the gateway's own description has the schemas.
 */
export function useProducible(): Polled<readonly Producible[]> {
  const functions = usePoll<List<FunctionShape>>('/api/functions', EVERY_MS)
  const isUnknown = functions.error !== null && functions.data === undefined
  const described = usePoll<Description>(isUnknown ? '/openapi.json' : null, EVERY_MS)
  const listed = functions.data
  const description = described.data

  const data = useMemo(() => {
    if (listed)
      return listed.items.map(({ topic, schema, state, reason }) => ({
        topic,
        schema: schema as JsonSchema,
        state,
        reason
      }))
    return description && toProducible(description)
  }, [listed, description])
  return { ...functions, data, isLoading: functions.isLoading || described.isLoading }
}
