import { alertRules } from '../gateway/alerts/rules.ts'
import type { AlertRule } from '../gateway/alerts/types.ts'

/** How Prometheus measures what a rule of the gateway does. */
interface Measure {
  /** What is compared with the threshold. */
  readonly expr: string
  /** What tells its series apart; none by default. */
  readonly by?: 'topic'
}

// Each gateway tells of all topics, and each runner of the partitions that it owns: what several say is counted once.
const LAG = 'max by (topic, partition) (smg_lag_records)'
const POSITION = 'max by (topic, partition) (smg_position)'
const POSITION_BEFORE = 'max by (topic, partition) (smg_position offset 2m)'
const ALWAYS_BEHIND = 'max by (topic, partition) (min_over_time(smg_lag_records{job="smg-gateway"}[2m])) > 0'
const OWNED = 'present_over_time(smg_lag_records{job="smg-runner"}[2m])'
const HELD = 'smg_function_state{state=~"paused|stopped|flooded"} == 1'
const DEAD = 'max by (topic) (increase(smg_topic_dead_letters[5m]))'
const SETTLED = 'max by (topic) (increase(smg_topic_messages[5m]))'
const REQUESTS = 'sum(increase(http_server_request_duration_seconds_count{http_route=~"/api/.*"}[5m]))'
const ERRORS = REQUESTS.replace('}', ', http_response_status_code=~"5.."}')

/** By the names of the gateway's rules; each has one. */
export const MEASURES: Readonly<Record<string, Measure>> = {
  HighConsumerLag: { by: 'topic', expr: `sum by (topic) (${LAG})` },
  HighLagSeconds: { by: 'topic', expr: 'max by (topic) (smg_lag_seconds)' },
  ConsumerStalled: {
    by: 'topic',
    expr: `count by (topic) (
  ${ALWAYS_BEHIND}
  and ${POSITION} == ${POSITION_BEFORE}
  and on (topic, partition) ${OWNED}
  unless on (topic) ${HELD}
)`
  },
  ConsumerStopped: {
    by: 'topic',
    expr: `count by (topic) (
  ${ALWAYS_BEHIND}
  and ${POSITION} == ${POSITION_BEFORE}
  unless on (topic, partition) ${OWNED}
  unless on (topic) ${HELD}
)`
  },
  ConsumerRewound: {
    by: 'topic',
    expr: `count by (topic) (
  ${POSITION} < ${POSITION_BEFORE}
  and ${LAG} > 0
)`
  },
  DeadLetterRate: {
    by: 'topic',
    expr: `${DEAD}
  / (${SETTLED} + ${DEAD})
  and ${DEAD} >= 10`
  },
  OldestDeadLetter: { by: 'topic', expr: 'max by (topic) (smg_dead_letters_oldest_seconds)' },
  DeadLetterFlood: { by: 'topic', expr: 'max by (topic) (smg_function_state{state="flooded"})' },
  FunctionStopped: { by: 'topic', expr: 'max by (topic) (smg_function_state{state="stopped"})' },
  RecordsLost: { by: 'topic', expr: 'max by (topic) (increase(smg_topic_lost_records[1h]))' },
  OutboxBacklog: { expr: 'max(smg_outbox_oldest_seconds)' },
  OutboxRefused: { expr: 'max(smg_outbox_refused)' },
  KafkaBrokerDown: {
    expr: '(max(smg_kafka_brokers_expected) - max(smg_kafka_brokers) > 0) or (1 - max(smg_kafka_up))'
  },
  UnderReplicatedPartitions: { expr: 'max(smg_kafka_under_replicated_partitions)' },
  DatabaseConnectionFailure: { expr: 'sum(increase(smg_database_failures_total[5m]))' },
  HighAPIErrorRate: { expr: `${ERRORS}\n  / ${REQUESTS}\n  and ${REQUESTS} >= 50` }
}

const HEAD = `# Written by \`npm run deploy\` from gateway/alerts/rules.ts and deploy/rules.ts: change them, not this.
# The jobs are those of prometheus.yml beside this file.
groups:
  # What nobody can tell who is not there.
  - name: smg-kafka-processes
    interval: 10s
    rules:
      - alert: PartDown
        expr: up{job=~"smg-(gateway|runner)"} == 0
        for: 1m
        labels: { severity: critical }
        annotations:
          summary: "A part does not answer"
          description: "{{ $labels.job }} on {{ $labels.instance }} gives no metrics: it is down, or cannot be reached."
          action: "Look at its log, and start it again. Nothing is lost meanwhile."
  # Those of the gateway itself.
  - name: smg-kafka
    interval: 10s
    rules:
`

/** Gives the file of Prometheus's rules. */
export function buildRules(): string {
  return `${HEAD}${alertRules.map(toRule).join('')}`
}

function toRule(rule: AlertRule): string {
  const measure = MEASURES[rule.name]
  const { summary, description, action, severity, forSeconds } = rule
  const subject = measure?.by ? '{{ $labels.topic }}: ' : ''
  return `      - alert: ${rule.name}
        expr: |-
${indent(toExpression(rule, measure), 10)}
${forSeconds > 0 ? `        for: ${forSeconds}s\n` : ''}        labels: { severity: ${severity} }
        annotations:
          summary: ${JSON.stringify(summary)}
          description: ${JSON.stringify(`${subject}${description} Now: {{ $value | humanize }}.`)}
          action: ${JSON.stringify(action)}
`
}

/** One that fires goes on until its value is where it clears. */
function toExpression({ name, threshold, clearsAt }: AlertRule, measure: Measure | undefined): string {
  const { expr, by } = measure ?? { expr: `smg_alert_firing{alert="${name}"}` }
  if (clearsAt === threshold) return `(${expr}) > ${threshold}`
  const firing = `ALERTS{alertname="${name}", alertstate="firing"}`
  return `(${expr}) > ${threshold}
or
((${expr}) > ${clearsAt} and on (${by ?? ''}) ${firing})`
}

function indent(text: string, spaces: number): string {
  return text.replace(/^/gm, ' '.repeat(spaces))
}
