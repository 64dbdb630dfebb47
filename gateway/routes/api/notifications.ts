import { Type } from '@sinclair/typebox'
import { addList } from '../../add-list.ts'
import { Channel, Notification } from '../../schemas/rows.ts'
import { Filter } from '../../schemas/values.ts'
import type { App } from '../../types.ts'

/** `/api/notifications` */
export default async function notificationRoutes(app: App) {
  addList(app, '/api/notifications', {
    operationId: 'listNotifications',
    tag: 'rows',
    summary: 'Notices to people',
    description: 'Lists rows of `notifications`, newest first.',
    item: Notification,
    filters: { recipient: Filter('of one recipient', 'ops@example.com'), channel: Type.Optional(Channel) },
    list: app.queries.rows.notifications
  })
}
