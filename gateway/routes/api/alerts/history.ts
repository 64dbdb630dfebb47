import { Type } from '@sinclair/typebox'
import { addList } from '../../../add-list.ts'
import { AlertNotice, Severity } from '../../../schemas/alerts.ts'
import { Filter } from '../../../schemas/values.ts'
import type { App } from '../../../types.ts'

/** `/api/alerts/history` */
export default async function alertHistoryRoutes(app: App) {
  addList(app, '/api/alerts/history', {
    operationId: 'listAlertNotices',
    tag: 'operations',
    summary: 'History of alerts',
    description: 'Lists what was told of alerts, newest first: a notice when one fires, and one when it clears.',
    item: AlertNotice,
    filters: { name: Filter('of one rule', 'HighConsumerLag'), severity: Type.Optional(Severity) },
    list: app.queries.alerts.history
  })
}
