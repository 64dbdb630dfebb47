import { pino } from 'pino'
import t from 'tap'
import { createLogCreator } from '../../kafka/client-log.ts'

const [ERROR, WARN, INFO] = [1, 2, 4]

const lines = [
  { when: 'a connection fails', level: ERROR, message: 'Connection error: ECONNREFUSED', pinoLevel: 40 },
  { when: 'it is a warning', level: WARN, message: 'Limiting retries', pinoLevel: 40 },
  { when: 'it is news', level: INFO, message: 'Consumer has joined the group', pinoLevel: 20 },
  {
    when: 'a fresh cluster has no coordinator yet',
    level: ERROR,
    message: 'The group coordinator is not available',
    pinoLevel: 20
  },
  { when: 'a group rebalances', level: WARN, message: 'The group is rebalancing, re-joining', pinoLevel: 20 },
  {
    when: 'a heartbeat meets a rebalance',
    level: ERROR,
    message: 'Response Heartbeat(key: 12, version: 3)',
    error: 'The group is rebalancing, so a rejoin is needed',
    pinoLevel: 20
  }
]

for (const { when, level, message, error, pinoLevel } of lines) {
  t.test(`logs at ${pinoLevel} when ${when}`, async t => {
    const written: string[] = []
    const log = pino({ level: 'debug' }, { write: line => void written.push(line) })
    const entry = { timestamp: 'now', logger: 'kafkajs', message, error, payload: { data: 'secret' }, broker: 'b:1' }

    createLogCreator(log)(INFO)({ namespace: 'Connection', level, label: 'L', log: entry })

    t.match(JSON.parse(written[0] ?? '{}'), { level: pinoLevel, msg: message, broker: 'b:1', namespace: 'Connection' })
    t.notMatch(written[0], 'secret')
  })
}
