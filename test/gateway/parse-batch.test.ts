import { Type } from '@sinclair/typebox'
import t from 'tap'
import { parseBatch } from '../../gateway/parse-batch.ts'
import type { LoadedFunction } from '../../sdk/types.ts'

// The rest of it is seen through its route (routes/api/produce.test.ts).

const definition = { event: Type.Unknown(), findFaults: () => null } as unknown as LoadedFunction

const places = [
  { event: '{"z":-0}', text: '{"z":-0}' },
  { event: '{"z": -0}', text: '{"z":-0}' },
  { event: '{"z":\t-0}', text: '{"z":-0}' },
  { event: '{"z":\n-0.0}', text: '{"z":-0}' },
  { event: '{"z":\r-0e7}', text: '{"z":-0}' },
  { event: '[-0]', text: '[-0]' },
  { event: '[1,-0]', text: '[1,-0]' },
  { event: '-0', text: '-0' },
  { event: '{"user-001":"2026-01-02","z":-0}', text: '{"user-001":"2026-01-02","z":-0}' },
  { event: '{"user-001":"2026-01-02 -0"}', text: '{"user-001":"2026-01-02 -0"}' }
]

for (const { event, text } of places) {
  t.test(`keeps ${JSON.stringify(event)} as it was`, async t => {
    const [parsed] = parseBatch(Buffer.from(`{"events":[${event}]}`), definition)

    t.match(parsed, { value: Buffer.from(text) })
  })
}
