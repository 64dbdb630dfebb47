import type { FunctionShape } from './shapes.ts'
import type { JsonSchema } from './ui/schema-form-draft.ts'

/** A topic that events can be sent to; `state` is null when nobody can say. */
export interface Producible {
  readonly topic: string
  readonly schema: JsonSchema
  readonly state: FunctionShape['state'] | null
  readonly reason: string | null
}

export interface Description {
  readonly paths: Readonly<Record<string, { readonly post?: { readonly requestBody?: RequestBody } }>>
}

interface RequestBody {
  readonly content?: Readonly<Record<string, { readonly schema?: JsonSchema }>>
}

const PATH = /^\/api\/produce\/([^/{}]+)$/

/** Reads the topics and schemas from a description of the API. */
export function toProducible({ paths }: Description): Producible[] {
  return Object.entries(paths).flatMap(([path, { post }]) => {
    const topic = PATH.exec(path)?.[1]
    const schema = post?.requestBody?.content?.['application/json']?.schema
    return topic && schema ? [{ topic, schema, state: null, reason: null }] : []
  })
}
