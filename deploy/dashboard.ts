/** A panel, as wide as a number of twenty-fourths of the page. */
interface Panel {
  readonly title: string
  readonly description: string
  readonly unit: string
  readonly width: number
  /** Legend and expression. */
  readonly queries: readonly (readonly [legend: string, expr: string])[]
  /** A number with its colour, in place of lines over time: the value from which it is amber, and red. */
  readonly limits?: readonly [warning: number, critical: number]
  readonly isStacked?: boolean
}

const TOPIC = 'topic=~"$topic"'
const RATE = '$__rate_interval'
const ofHistogram = (quantile: number, metric: string, by: string) =>
  `histogram_quantile(${quantile}, sum by (${by}) (rate(${metric}_bucket[${RATE}])))`

/** The rows of the dashboard, each with its panels. */
const ROWS: readonly (readonly [title: string, panels: readonly Panel[]])[] = [
  [
    'Now',
    [
      stat('Alerts', 'Rules that fire', 'short', [1, 1], 'sum(max by (alert) (smg_alert_firing)) or vector(0)'),
      stat(
        'Lag',
        'Records that are not settled',
        'short',
        [10_000, 100_000],
        `sum(max by (topic, partition) (smg_lag_records{${TOPIC}}))`
      ),
      stat(
        'Oldest record',
        'Age of the oldest record that is not settled',
        's',
        [60, 300],
        `max(smg_lag_seconds{${TOPIC}})`
      ),
      stat(
        'Dead letters',
        'Dead letters that wait for somebody',
        'short',
        [1, 100],
        `sum(max by (topic) (smg_dead_letters_waiting{${TOPIC}})) or vector(0)`
      ),
      stat(
        'Kafka disk',
        'Used part of the log directories',
        'percentunit',
        [0.8, 0.9],
        'max(smg_kafka_disk_used_ratio)'
      ),
      stat(
        'Brokers away',
        'Brokers that were seen and do not answer',
        'short',
        [1, 1],
        'max(smg_kafka_brokers_expected) - max(smg_kafka_brokers)'
      )
    ]
  ],
  [
    'Events',
    [
      lines('Written', 'Events that Kafka acknowledged, a second', 'reqps', [
        [
          '{{messaging_destination_name}}',
          `sum by (messaging_destination_name) (rate(messaging_client_sent_messages_total{error_type="", messaging_destination_name=~"$topic"}[${RATE}]))`
        ]
      ]),
      lines('Settled', 'Records whose outcome is committed, a second', 'reqps', [
        ['{{topic}}', `sum by (topic) (rate(smg_records_settled_total{${TOPIC}}[${RATE}]))`]
      ]),
      lines('Dead letters', 'Records that died, a second', 'reqps', [
        ['{{topic}} {{disposition}}', `sum by (topic, disposition) (rate(smg_dead_letters_total{${TOPIC}}[${RATE}]))`]
      ]),
      lines('Lag', 'Records that are not settled', 'short', [
        ['{{topic}}', `sum by (topic) (max by (topic, partition) (smg_lag_records{${TOPIC}}))`]
      ]),
      lines('Lag in time', 'Age of the oldest record that is not settled', 's', [
        ['{{topic}}', `max by (topic) (smg_lag_seconds{${TOPIC}})`]
      ]),
      lines('Time to drain', 'Until the lag is gone, at the rate of now', 's', [
        ['{{topic}}', `max by (topic) (smg_time_to_drain_seconds{${TOPIC}})`]
      ])
    ]
  ],
  [
    'Gateway',
    [
      lines('Requests', 'Answers a second, by status', 'reqps', [
        [
          '{{http_response_status_code}}',
          `sum by (http_response_status_code) (rate(http_server_request_duration_seconds_count[${RATE}]))`
        ]
      ]),
      lines('Time to answer', 'Of all routes', 's', [
        ['p50', ofHistogram(0.5, 'http_server_request_duration_seconds', 'le')],
        ['p99', ofHistogram(0.99, 'http_server_request_duration_seconds', 'le')]
      ]),
      lines('Time of a send', 'Until every in-sync replica has it', 's', [
        ['p50', ofHistogram(0.5, 'messaging_client_operation_duration_seconds', 'le')],
        ['p99', ofHistogram(0.99, 'messaging_client_operation_duration_seconds', 'le')]
      ]),
      lines('Refused events', 'By the code of the error, a second', 'reqps', [
        ['{{error_type}}', `sum by (error_type) (rate(messaging_client_sent_messages_total{error_type!=""}[${RATE}]))`]
      ]),
      lines('Waiting to be sent', 'Bytes that the producer holds', 'bytes', [
        ['{{instance}}', 'smg_producer_queued_bytes']
      ]),
      lines('Requests that wait', 'For the outcome of their event', 'short', [['{{instance}}', 'smg_waiting_requests']])
    ]
  ],
  [
    'Runners',
    [
      lines('Time of a transaction', 'p99 of a cycle of each function', 's', [
        ['{{topic}}', ofHistogram(0.99, 'smg_cycle_seconds', 'le, topic')]
      ]),
      lines('Failed attempts', 'That are made again, a second', 'reqps', [
        ['{{topic}}', `sum by (topic) (rate(smg_attempts_failed_total{${TOPIC}}[${RATE}]))`]
      ]),
      lines('Waits', 'Functions that wait, by reason', 'short', [
        ['{{topic}} {{reason}}', `max by (topic, reason) (smg_waiting{${TOPIC}}) > 0`]
      ]),
      lines('Outbox', 'Published events that wait for Kafka', 'short', [['waiting', 'max(smg_outbox_waiting)']])
    ]
  ],
  [
    'PostgreSQL and Kafka',
    [
      lines('Time of a query', 'Of the gateways', 's', [
        ['p50', ofHistogram(0.5, 'db_client_operation_duration_seconds', 'le')],
        ['p99', ofHistogram(0.99, 'db_client_operation_duration_seconds', 'le')]
      ]),
      lines('Connections', 'Of the gateways and runners', 'short', [
        ['{{job}} {{state}}', 'sum by (job, state) (db_client_connection_count)']
      ]),
      lines('Size of the database', 'On disk', 'bytes', [['size', 'max(smg_database_size_bytes)']]),
      lines('Failures', 'Queries without an answer, a second', 'reqps', [
        ['{{instance}}', `rate(smg_database_failures_total[${RATE}])`]
      ])
    ]
  ],
  [
    'Processes',
    [
      lines('CPU', 'Cores in use', 'short', [
        ['{{job}} {{instance}}', `rate(process_cpu_seconds_total{job=~"smg-.*"}[${RATE}])`]
      ]),
      lines('Memory', 'Resident', 'bytes', [['{{job}} {{instance}}', 'process_resident_memory_bytes{job=~"smg-.*"}']]),
      lines('Event loop', 'p99 of its delay', 's', [
        ['{{job}} {{instance}}', 'nodejs_eventloop_lag_p99_seconds{job=~"smg-.*"}']
      ])
    ]
  ]
]

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
  query: { query: 'label_values(smg_position, topic)', refId: 'topic' },
  definition: 'label_values(smg_position, topic)',
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
  for (const [title, row] of ROWS) {
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
      if (x + panel.width > COLUMNS) {
        x = 0
        y += height
      }
      height = panel.limits ? 4 : 8
      panels.push({ id: panels.length + 1, gridPos: { x, y, w: panel.width, h: height }, ...toPanel(panel) })
      x += panel.width
    }
    y += height
  }
  return panels
}

function toPanel({ title, description, unit, queries, limits }: Panel) {
  const targets = queries.map(([legendFormat, expr], index) => {
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

function lines(title: string, description: string, unit: string, queries: Panel['queries']): Panel {
  return { title, description, unit, queries, width: 8 }
}

function stat(title: string, description: string, unit: string, limits: [number, number], expr: string): Panel {
  return { title, description, unit, queries: [[title, expr]], width: 4, limits }
}
