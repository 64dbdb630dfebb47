/** The topics that the demo sends to, with the member of `totals` of `/api/stats` that counts their rows. */
const TOTALS = {
  'system-metrics': 'systemMetrics',
  'user-activities': 'userActivities',
  'error-logs': 'errorLogs',
  notifications: 'notifications'
} as const

export type DemoTopic = keyof typeof TOTALS

export const TOPICS = Object.keys(TOTALS) as readonly DemoTopic[]

/** `totals` of `/api/stats`. */
export type Totals = Readonly<Record<(typeof TOTALS)[DemoTopic] | 'deadLetters', number>>

/** What became of the events of one topic. */
export interface Counts {
  /** Kafka has them, the gateway said. */
  accepted: number
  /** The gateway refused them: they are nowhere. */
  refused: number
  /** No answer, or one that leaves it open: they may have arrived. */
  unclear: number
}

export type Tally = Readonly<Record<DemoTopic, Counts>>

export function createTally(): Tally {
  const counts = () => ({ accepted: 0, refused: 0, unclear: 0 })
  return {
    'system-metrics': counts(),
    'user-activities': counts(),
    'error-logs': counts(),
    notifications: counts()
  }
}

/** Adds up all topics. */
export function sumTally(tally: Tally): Readonly<Counts> {
  const all = Object.values(tally)
  return {
    accepted: all.reduce((sum, { accepted }) => sum + accepted, 0),
    refused: all.reduce((sum, { refused }) => sum + refused, 0),
    unclear: all.reduce((sum, { unclear }) => sum + unclear, 0)
  }
}

/** What arrived of what was accepted. */
export interface Arrival {
  /** Rows that were written meanwhile, by topic: others may have produced too. */
  readonly arrived: Readonly<Record<DemoTopic, number>>
  readonly deadLetters: number
  /** Accepted events that are neither a row nor a dead letter. */
  readonly missing: number
}

/** Compares what was accepted with the totals before and after. */
export function toArrival(tally: Tally, before: Totals, after: Totals): Arrival {
  const rowsOf = (topic: DemoTopic) => after[TOTALS[topic]] - before[TOTALS[topic]]
  const arrived = Object.fromEntries(TOPICS.map(topic => [topic, rowsOf(topic)])) as Record<DemoTopic, number>
  const deadLetters = after.deadLetters - before.deadLetters
  const notRows = TOPICS.reduce((sum, topic) => sum + Math.max(0, tally[topic].accepted - arrived[topic]), 0)

  return { arrived, deadLetters, missing: Math.max(0, notRows - deadLetters) }
}
