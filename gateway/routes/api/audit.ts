import { Type } from '@sinclair/typebox'
import { addList } from '../../add-list.ts'
import { AuditAction, AuditEntry } from '../../schemas/audit.ts'
import { Filter, TopicName } from '../../schemas/values.ts'
import type { App } from '../../types.ts'

/** `/api/audit` */
export default async function auditRoutes(app: App) {
  addList(app, '/api/audit', {
    operationId: 'listAudit',
    tag: 'operations',
    summary: 'What operators did',
    description: 'Lists what operators did and what came of it, newest first. What changed nothing is not in it.',
    item: AuditEntry,
    filters: {
      action: Type.Optional(AuditAction),
      operator: Filter('of one operator', 'ada'),
      topic: Type.Optional(TopicName('of one topic'))
    },
    list: app.queries.audit.list
  })
}
