import t from 'tap'
import { NonRetriableError, Type } from '../../sdk/index.ts'
import type { Input } from '../../sdk/types.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, PLACE, range } from './_support/records.ts'

const event = Type.Object({ n: Type.Number() })
const bounds = { 0: { logStartOffset: 0n, logEndOffset: 1_000n } }
const database = await createTestDatabase(t)
const { topic } = PLACE

async function handle({ offset }: Input) {
  if (offset === '1') throw new NonRetriableError('no')
}
const kinds = [
  // No table, and yet handled ahead in memory, as rows are.
  { kind: 'rows', definition: { ...defineTestFunction({ event }), handle } as ReturnType<typeof defineTestFunction> },
  { kind: 'a transaction', definition: defineTestFunction({ event, handle }) }
]

for (const { kind, definition } of kinds) {
  t.test(`measures the cycles of a function with ${kind}, and counts the dead by what they died of`, async t => {
    const { attachment, kafka, position, metrics } = await createTestAttachment(t, definition, { bounds, database })
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)

    await kafka.deliver(batch(0, range(0, 5)))
    await until(async () => (await position())?.next === 5)
    // The counts follow the commit.
    const text = async () => metrics.registry.metrics()
    await until(async () => (await text()).includes(`smg_cycle_records_sum{topic="${topic}"} 5`))

    t.match(await text(), `smg_dead_letters_total{topic="${topic}",disposition="non_retriable"} 1\n`)
    const cycles = (await metrics.cycleRecords.get()).values.find(({ metricName }) => metricName?.endsWith('_count'))
    const times = (await metrics.cycleSeconds.get()).values.find(({ metricName }) => metricName?.endsWith('_count'))
    t.ok(cycles && times && cycles.value >= 1 && times.value >= cycles.value)
  })
}
