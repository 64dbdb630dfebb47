import { Type } from '@sinclair/typebox'
import { addList } from '../../add-list.ts'
import { ErrorLevel, ErrorLog } from '../../schemas/rows.ts'
import { Filter } from '../../schemas/values.ts'
import type { App } from '../../types.ts'

/** `/api/errors` */
export default async function errorLogRoutes(app: App) {
  addList(app, '/api/errors', {
    operationId: 'listErrorLogs',
    tag: 'rows',
    summary: 'What went wrong in services',
    description: 'Lists rows of `error-logs`, newest first.',
    item: ErrorLog,
    filters: { service: Filter('of one service', 'checkout'), level: Type.Optional(ErrorLevel) },
    list: app.queries.rows.errorLogs
  })
}
