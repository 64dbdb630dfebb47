import { alertRules } from '../gateway/alerts/rules.ts'

/** One picture of the dashboard. */
export interface Panel {
  readonly title: string
  readonly description: string
  readonly unit: string
  /** Expressions by their legends. */
  readonly queries: Readonly<Record<string, string>>
  /** A number with its colour, in place of lines over time: from which value it is amber, and red. */
  readonly limits?: readonly [warning: number, critical: number]
}

const TOPIC = 'topic=~"$topic"'
const RATE = '$__rate_interval'
const LAG = `max by (topic, partition) (smg_lag_records{${TOPIC}})`
const WAITING = `max by (topic) (smg_dead_letters_waiting{${TOPIC}})`
const NAMES = alertRules.map(({ name }) => name).join('|')

const rate = (metric: string, labels: string) => `sum by (${labels}) (rate(${metric}[${RATE}]))`
const percentile = (metric: string, rank: number, labels = 'le') =>
  `histogram_quantile(${rank / 100}, ${rate(`${metric}_bucket`, labels)})`
const percentiles = (metric: string) => ({ p50: percentile(metric, 50), p99: percentile(metric, 99) })

/** All of them, by the titles of their rows. */
export const ROWS: Readonly<Record<string, readonly Panel[]>> = {
  Now: [
    {
      title: 'Alerts',
      description: 'That fire, as Prometheus says where it has the rules, else as the gateways do.',
      unit: 'short',
      limits: [1, 1],
      queries: {
        firing: `count(ALERTS{alertstate="firing", alertname=~"PartDown|${NAMES}"})
  or sum(max by (alert) (smg_alert_firing)) or vector(0)`
      }
    },
    {
      title: 'Lag',
      description: 'Records that are not settled.',
      unit: 'short',
      limits: [10_000, 100_000],
      queries: { lag: `sum(${LAG})` }
    },
    {
      title: 'Oldest record',
      description: 'Age of the oldest record that is not settled.',
      unit: 's',
      limits: [60, 300],
      queries: { age: `max(smg_lag_seconds{${TOPIC}})` }
    },
    {
      title: 'Dead letters',
      description: 'That wait for somebody.',
      unit: 'short',
      limits: [1, 100],
      queries: { waiting: `sum(${WAITING}) or vector(0)` }
    },
    {
      title: 'Kafka disk',
      description: 'Used part of the volumes of the brokers’ logs.',
      unit: 'percentunit',
      limits: [0.8, 0.9],
      queries: { used: 'max(smg_kafka_disk_used_ratio)' }
    },
    {
      title: 'Brokers away',
      description: 'That were seen and do not answer.',
      unit: 'short',
      limits: [1, 1],
      queries: { away: 'max(smg_kafka_brokers_expected) - max(smg_kafka_brokers)' }
    }
  ],
  Events: [
    {
      title: 'Written',
      description: 'Events that Kafka acknowledged, a second.',
      unit: 'reqps',
      queries: {
        '{{messaging_destination_name}}': rate(
          'messaging_client_sent_messages_total{error_type="", messaging_destination_name=~"$topic"}',
          'messaging_destination_name'
        )
      }
    },
    {
      title: 'Settled',
      description: 'Records whose outcome is committed, a second.',
      unit: 'reqps',
      queries: { '{{topic}}': rate(`smg_records_settled_total{${TOPIC}}`, 'topic') }
    },
    {
      title: 'Dead letters',
      description: 'Records that died, a second, by what they died of.',
      unit: 'reqps',
      queries: { '{{topic}} {{disposition}}': rate(`smg_dead_letters_total{${TOPIC}}`, 'topic, disposition') }
    },
    {
      title: 'Lag',
      description: 'Records that are not settled.',
      unit: 'short',
      queries: { '{{topic}}': `sum by (topic) (${LAG})` }
    },
    {
      title: 'Lag in time',
      description: 'Age of the oldest record that is not settled.',
      unit: 's',
      queries: { '{{topic}}': `max by (topic) (smg_lag_seconds{${TOPIC}})` }
    },
    {
      title: 'Time to drain',
      description: 'Until the lag is gone, at the pace of the last minute.',
      unit: 's',
      queries: { '{{topic}}': `max by (topic) (smg_time_to_drain_seconds{${TOPIC}})` }
    }
  ],
  Gateway: [
    {
      title: 'Requests',
      description: 'Answers a second, by status.',
      unit: 'reqps',
      queries: {
        '{{http_response_status_code}}': rate('http_server_request_duration_seconds_count', 'http_response_status_code')
      }
    },
    {
      title: 'Time to answer',
      description: 'Of all routes.',
      unit: 's',
      queries: percentiles('http_server_request_duration_seconds')
    },
    {
      title: 'Time of a send',
      description: 'Until every in-sync replica has it.',
      unit: 's',
      queries: percentiles('messaging_client_operation_duration_seconds')
    },
    {
      title: 'Refused events',
      description: 'A second, by the code of the error.',
      unit: 'reqps',
      queries: { '{{error_type}}': rate('messaging_client_sent_messages_total{error_type!=""}', 'error_type') }
    },
    {
      title: 'Waiting to be sent',
      description: 'Bytes that the producer holds.',
      unit: 'bytes',
      queries: { '{{instance}}': 'smg_producer_queued_bytes' }
    },
    {
      title: 'Requests that wait',
      description: 'For the outcome of their event.',
      unit: 'short',
      queries: { '{{instance}}': 'smg_waiting_requests' }
    }
  ],
  Runners: [
    {
      title: 'Time of a transaction',
      description: 'p99 of the cycles of each function.',
      unit: 's',
      queries: { '{{topic}}': percentile('smg_cycle_seconds', 99, 'le, topic') }
    },
    {
      title: 'Failed attempts',
      description: 'That are made again, a second.',
      unit: 'reqps',
      queries: { '{{topic}}': rate(`smg_attempts_failed_total{${TOPIC}}`, 'topic') }
    },
    {
      title: 'Waits',
      description: 'Functions that wait, by what for.',
      unit: 'short',
      queries: { '{{topic}} {{reason}}': `max by (topic, reason) (smg_waiting{${TOPIC}}) > 0` }
    },
    {
      title: 'Outbox',
      description: 'Published events that wait for Kafka.',
      unit: 'short',
      queries: { waiting: 'max(smg_outbox_waiting)' }
    }
  ],
  'PostgreSQL and Kafka': [
    {
      title: 'Time of a query',
      description: 'Of the gateways.',
      unit: 's',
      queries: percentiles('db_client_operation_duration_seconds')
    },
    {
      title: 'Connections',
      description: 'Of all parts to the database.',
      unit: 'short',
      queries: { '{{state}}': 'max by (state) (db_client_connection_count)' }
    },
    {
      title: 'Size of the database',
      description: 'On disk.',
      unit: 'bytes',
      queries: { size: 'max(smg_database_size_bytes)' }
    },
    {
      title: 'Failures',
      description: 'Queries without an answer, a second.',
      unit: 'reqps',
      queries: { '{{instance}}': rate('smg_database_failures_total', 'instance') }
    },
    {
      title: 'Under-replicated partitions',
      description: 'Of the functions’ topics.',
      unit: 'short',
      queries: { partitions: 'max(smg_kafka_under_replicated_partitions)' }
    }
  ],
  Processes: [
    {
      title: 'CPU',
      description: 'Cores in use.',
      unit: 'short',
      queries: { '{{job}} {{instance}}': rate('process_cpu_seconds_total{job=~"smg-.*"}', 'job, instance') }
    },
    {
      title: 'Memory',
      description: 'Resident.',
      unit: 'bytes',
      queries: { '{{job}} {{instance}}': 'process_resident_memory_bytes{job=~"smg-.*"}' }
    },
    {
      title: 'Event loop',
      description: 'p99 of its delay.',
      unit: 's',
      queries: { '{{job}} {{instance}}': 'nodejs_eventloop_lag_p99_seconds{job=~"smg-.*"}' }
    }
  ]
}
