import { addList } from '../../add-list.ts'
import { UserActivity } from '../../schemas/rows.ts'
import { Filter } from '../../schemas/values.ts'
import type { App } from '../../types.ts'

/** `/api/user-activities` */
export default async function userActivityRoutes(app: App) {
  addList(app, '/api/user-activities', {
    operationId: 'listUserActivities',
    tag: 'rows',
    summary: 'What users did',
    description: 'Lists rows of `user-activities`, newest first.',
    item: UserActivity,
    filters: { userId: Filter('of one user', 'user-001'), action: Filter('of one action', 'login') },
    list: app.queries.rows.userActivities
  })
}
