import { addList } from '../../add-list.ts'
import { SystemMetric } from '../../schemas/rows.ts'
import { Filter } from '../../schemas/values.ts'
import type { App } from '../../types.ts'

/** `/api/metrics`: rows, not the metrics of this process. */
export default async function systemMetricRoutes(app: App) {
  addList(app, '/api/metrics', {
    operationId: 'listSystemMetrics',
    tag: 'rows',
    summary: 'What machines and programs measured',
    description: 'Lists rows of `system-metrics`, newest first.',
    item: SystemMetric,
    filters: { source: Filter('of one source', 'web-1'), name: Filter('of one name', 'cpu.usage') },
    list: app.queries.rows.systemMetrics
  })
}
