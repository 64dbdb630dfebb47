import { type Panel, ROWS } from './panels.ts'

const DATASOURCE = { type: 'prometheus', uid: '$datasource' }
const COLUMNS = 24

/** Gives the dashboard of Grafana, in the form that its import page and its provisioning take. */
export function buildDashboard() {
  return {
    title: 'SMG Kafka',
    uid: 'smg-kafka',
    description: 'Functions on Kafka, with their effects in PostgreSQL, exactly once.',
    tags: ['smg-kafka', 'kafka'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    templating: { list: [datasourceVariable, topicVariable] },
    annotations: { list: [] },
    panels: toPanels()
  }
}

const datasourceVariable = {
  name: 'datasource',
  label: 'Prometheus',
  type: 'datasource',
  query: 'prometheus',
  current: {},
  hide: 0
}

const topicVariable = {
  name: 'topic',
  label: 'Topic',
  type: 'query',
  datasource: DATASOURCE,
  query: { query: 'label_values(smg_log_end_offset, topic)', refId: 'topic' },
  definition: 'label_values(smg_log_end_offset, topic)',
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.*',
  current: { text: 'All', value: '$__all' }
}

function toPanels(): object[] {
  const panels: object[] = []
  let y = 0
  for (const [title, row] of Object.entries(ROWS)) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: []
    })
    y += 1
    let x = 0
    let height = 0
    for (const panel of row) {
      const width = panel.limits ? 4 : 8
      if (x + width > COLUMNS) {
        x = 0
        y += height
      }
      height = panel.limits ? 4 : 8
      panels.push({ id: panels.length + 1, gridPos: { x, y, w: width, h: height }, ...toPanel(panel) })
      x += width
    }
    y += height
  }
  return panels
}

function toPanel({ title, description, unit, queries, limits }: Panel) {
  const targets = Object.entries(queries).map(([legendFormat, expr], index) => {
    return {
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      editorMode: 'code',
      expr,
      legendFormat,
      range: true
    }
  })
  const shared = { title, description, datasource: DATASOURCE, targets }
  if (!limits) {
    const custom = { lineWidth: 1, fillOpacity: 8, showPoints: 'never', spanNulls: false }
    const options = { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } }
    return {
      type: 'timeseries',
      ...shared,
      options,
      fieldConfig: { defaults: { unit, min: 0, custom }, overrides: [] }
    }
  }
  const [warning, critical] = limits
  const steps = [
    { color: 'green', value: null },
    ...(warning < critical ? [{ color: 'orange', value: warning }] : []),
    { color: 'red', value: critical }
  ]
  const options = { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'area' }
  const thresholds = { mode: 'absolute', steps }
  return { type: 'stat', ...shared, options, fieldConfig: { defaults: { unit, thresholds }, overrides: [] } }
}
