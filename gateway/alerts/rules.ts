import type { AlertInputs, AlertRule, FunctionInput, TopicInput } from './types.ts'

/** Below so many requests a ratio says nothing. */
const LEAST_REQUESTS = 50
/** As for requests. */
const LEAST_DEAD = 10
const COUNTS_MS = 300_000

/** Every alert there is. `deploy/` has the same for Prometheus, and docs/operations.md a line for each. */
export const alertRules: readonly AlertRule[] = [
  {
    name: 'HighConsumerLag',
    severity: 'warning',
    threshold: 10_000,
    clearsAt: 8_000,
    unit: 'records',
    forSeconds: 30,
    summary: 'Many records wait for their function',
    description: 'More than 10,000 records of a topic are not settled.',
    action:
      'Look whether the lag falls: then wait. Else start more runners, up to the number of partitions, or make the function faster.',
    measure: byTopic(({ lag }) => lag)
  },
  {
    name: 'HighLagSeconds',
    severity: 'warning',
    threshold: 300,
    clearsAt: 240,
    unit: 'seconds',
    forSeconds: 30,
    summary: 'Records wait for long',
    description: 'The oldest record of a topic that is not settled is older than 5 minutes.',
    action:
      'As for HighConsumerLag. With a short lag, look for one slow record: the lines “attempt failed” of the runner name it.',
    measure: byTopic(({ lagSeconds }) => lagSeconds)
  },
  {
    name: 'ConsumerStalled',
    severity: 'critical',
    threshold: 0,
    clearsAt: 0,
    unit: 'partitions',
    forSeconds: 0,
    summary: 'A runner owns partitions and does not move',
    description:
      'Partitions with lag have an owner whose position did not move for 2 minutes, or twice as long as one record of the function may take.',
    action:
      'Look at `/health` of the runner and at its log: PostgreSQL may refuse writes, or a handler hang. A restart of the runner loses nothing.',
    measure: byTopic(({ stalled }) => stalled)
  },
  {
    name: 'ConsumerStopped',
    severity: 'critical',
    threshold: 0,
    clearsAt: 0,
    unit: 'partitions',
    forSeconds: 0,
    summary: 'Nobody owns partitions with lag',
    description:
      'Partitions with lag had no runner for 2 minutes, or twice as long as one record of the function may take.',
    action: 'Start a runner whose `FUNCTIONS` has this topic. If one runs: see in its log why it is not in the group.',
    measure: byTopic(({ stopped }) => stopped)
  },
  {
    name: 'ConsumerRewound',
    severity: 'warning',
    threshold: 0,
    clearsAt: 0,
    unit: 'partitions',
    forSeconds: 0,
    summary: 'Positions went back',
    description:
      'Positions of partitions with lag are lower than they were: the database was restored, or somebody moved them.',
    action:
      'If nobody meant it: see whether PostgreSQL was restored. Records are handled again, and what is settled has no second effect.',
    measure: byTopic(({ rewound }) => rewound)
  },
  {
    name: 'DeadLetterRate',
    severity: 'warning',
    threshold: 0.01,
    clearsAt: 0.005,
    unit: 'ratio',
    forSeconds: 0,
    summary: 'Many records die',
    description: 'Of the records of the last 5 minutes more than 1 %, and at least 10, became dead letters.',
    action:
      'Look at `/api/dead-letters/groups` for the reason. Correct the producer or the function, then run the dead letters again.',
    measure: byTopic(({ settled, dead }) => (dead < LEAST_DEAD ? 0 : dead / (settled + dead)))
  },
  {
    name: 'OldestDeadLetter',
    severity: 'warning',
    threshold: 3_600,
    clearsAt: 3_600,
    unit: 'seconds',
    forSeconds: 0,
    summary: 'A dead letter waits for somebody',
    description: 'A dead letter was neither run again nor discarded for an hour.',
    action: 'Look at `/api/dead-letters`, mend the cause, and redrive it or discard it.',
    measure: ({ deadLetters }) =>
      deadLetters?.map(({ topic, oldestSeconds }) => ({ subject: topic, value: oldestSeconds })) ?? null
  },
  {
    name: 'DeadLetterFlood',
    severity: 'critical',
    threshold: 0,
    clearsAt: 0,
    unit: 'functions',
    forSeconds: 0,
    summary: 'A flood of dead letters stopped a function',
    description:
      'More than half of the last 1,000 records of a function died for one reason: it is stopped for every runner.',
    action:
      'Mend the function or the producer. It goes on when its file has changed, or by `POST /api/functions/{topic}/resume`, first with one record.',
    measure: byFunction(({ state, isFlood }) => state === 'stopped' && isFlood)
  },
  {
    name: 'FunctionStopped',
    severity: 'critical',
    threshold: 0,
    clearsAt: 0,
    unit: 'functions',
    forSeconds: 0,
    summary: 'A function is stopped: somebody must act',
    description: 'A function met what no waiting mends, such as a table or a permission that is missing.',
    action:
      '`reason` of `/api/functions/{topic}` says what is missing. Mend it: one batch is tried every 30 s, and nothing is lost meanwhile.',
    measure: byFunction(({ state, isFlood }) => state === 'stopped' && !isFlood)
  },
  {
    name: 'RecordsLost',
    severity: 'critical',
    threshold: 0,
    clearsAt: 0,
    unit: 'records',
    forSeconds: 0,
    summary: 'Retention removed records before they were handled',
    description: 'Records were removed from Kafka within the last hour that no function had handled.',
    action:
      'Raise the retention of the topic, then start more runners. What is lost can only be sent again by its producer.',
    measure: byTopic(({ lost }) => lost)
  },
  {
    name: 'OutboxBacklog',
    severity: 'warning',
    threshold: 60,
    clearsAt: 30,
    unit: 'seconds',
    forSeconds: 30,
    summary: 'Published events wait in the outbox',
    description: 'What functions published, or the copy of a dead letter, waits longer than a minute for Kafka.',
    action: 'See whether Kafka takes records, and whether a runner is there: runners send the outbox.',
    measure: ({ outbox }) => outbox && [{ subject: null, value: outbox.oldestSeconds }]
  },
  {
    name: 'OutboxRefused',
    severity: 'warning',
    threshold: 0,
    clearsAt: 0,
    unit: 'events',
    forSeconds: 0,
    summary: 'Kafka refused published events',
    description: 'Events of the outbox were set aside, because Kafka will never take them as they are.',
    action:
      'Read `refusal` in the table `outbox`: mostly a topic without permission or with a small `max.message.bytes`. Mend it, then set `refused_at` to null.',
    measure: ({ outbox }) => outbox && [{ subject: null, value: outbox.refused }]
  },
  {
    name: 'KafkaBrokerDown',
    severity: 'critical',
    threshold: 0,
    clearsAt: 0,
    unit: 'brokers',
    forSeconds: 20,
    summary: 'A broker does not answer',
    description: 'A broker that holds replicas, or was seen within the last day, does not answer; or no broker does.',
    action: 'Start the broker, or see why it cannot be reached. With all of them down nothing can be produced.',
    measure: ({ brokers }) =>
      brokers.size === 0
        ? [{ subject: null, value: 1 }]
        : [...brokers].map(([id, answers]) => ({ subject: `broker ${id}`, value: answers ? 0 : 1 }))
  },
  {
    name: 'UnderReplicatedPartitions',
    severity: 'warning',
    threshold: 0,
    clearsAt: 0,
    unit: 'partitions',
    forSeconds: 60,
    summary: 'Partitions lack replicas',
    description: 'Replicas of partitions do not follow their leader: one more loss may stop writing.',
    action: 'See that all brokers run, then wait for the replicas to follow; see their disks if they do not.',
    measure: ({ underReplicated }) =>
      underReplicated?.map(({ topic, partitions }) => ({ subject: topic, value: partitions })) ?? null
  },
  {
    name: 'DatabaseConnectionFailure',
    severity: 'critical',
    threshold: 10,
    clearsAt: 5,
    unit: 'failures',
    forSeconds: 0,
    summary: 'PostgreSQL does not answer',
    description: 'More than 10 queries of the gateways within 5 minutes found no PostgreSQL, or had no answer in time.',
    action:
      'See that PostgreSQL runs and takes connections. Producing goes on, functions wait, and nothing is lost meanwhile.',
    measure: ({ counts }) => [{ subject: null, value: sumOf(counts, 3) }]
  },
  {
    name: 'HighAPIErrorRate',
    severity: 'warning',
    threshold: 0.05,
    clearsAt: 0.03,
    unit: 'ratio',
    forSeconds: 0,
    summary: 'Many requests fail',
    description: 'Of the requests to `/api` within 5 minutes, 50 at least, more than 5 % were answered with 5xx.',
    action: 'Look at `/health`: mostly Kafka or PostgreSQL is away. Else the log of the gateways has “request failed”.',
    measure({ counts }) {
      const requests = sumOf(counts, 1)
      return [{ subject: null, value: requests < LEAST_REQUESTS ? 0 : sumOf(counts, 2) / requests }]
    }
  }
]

function byTopic(measure: (topic: TopicInput) => number | null): AlertRule['measure'] {
  return ({ topics }) => topics?.map(topic => ({ subject: topic.topic, value: measure(topic) })) ?? null
}

function byFunction(isWrong: (one: FunctionInput) => boolean): AlertRule['measure'] {
  return ({ functions }) => functions?.map(one => ({ subject: one.topic, value: isWrong(one) ? 1 : 0 })) ?? null
}

/** Over the last 5 minutes. */
function sumOf(counts: AlertInputs['counts'], column: 1 | 2 | 3): number {
  return counts.reduce((total, slot) => (slot[0] <= COUNTS_MS ? total + slot[column] : total), 0)
}
