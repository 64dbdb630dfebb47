import { type TProperties, type TSchema, Type } from '@sinclair/typebox'
import type { Filters, Page, PageRequest } from '../db/queries/list.ts'
import { listOf, listQuery, parseListQuery, toPageText } from './schemas/list.ts'
import { problems } from './schemas/problem.ts'
import { sendText } from './send-text.ts'
import type { App } from './types.ts'

interface ListRoute {
  readonly operationId: string
  readonly tag: string
  readonly summary: string
  readonly description: string
  /** Of one item; it has an `$id`. */
  readonly item: TSchema
  readonly filters: TProperties
  readonly list: (filters: Filters, page: PageRequest) => Promise<Page>
}

/** Adds the route of a list, newest first, in pages. */
export function addList(app: App, url: string, { item, filters, list, tag, ...documentation }: ListRoute) {
  app.addSchema(item)
  app.get<{ Querystring: Record<string, unknown> }>(
    url,
    {
      config: { scope: 'read' },
      schema: {
        ...documentation,
        tags: [tag],
        querystring: listQuery(filters),
        response: { 200: listOf(Type.Ref(item.$id ?? ''), 'One page.'), ...problems(503) }
      }
    },
    async (request, reply) => sendText(reply, toPageText(await list(...parseListQuery(request.query))))
  )
}
