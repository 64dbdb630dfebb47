import t from 'tap'
import { effectOf, mergeEffects } from '../../stack/rooms.ts'

const none = { migrate: false, gateway: false, runners: false }
const both = { migrate: false, gateway: true, runners: true }

const files = [
  { file: '/app/functions/user-activities.ts', effect: both },
  { file: '/app/sdk/index.ts', effect: both },
  { file: '/app/kafka/consumer.ts', effect: both },
  { file: '/app/db/client.ts', effect: both },
  { file: '/app/db/tables/messages.ts', effect: { ...both, migrate: true } },
  { file: '/app/db/migrations/0001_next.sql', effect: { ...both, migrate: true } },
  { file: '/app/gateway/routes/api/messages.ts', effect: { ...none, gateway: true } },
  { file: '/app/runner/main.ts', effect: { ...none, runners: true } },
  { file: '/elsewhere/orders.ts', effect: both },
  { file: '/elsewhere-too/orders.ts', effect: none },
  { file: '/app/test/runner/x.test.ts', effect: none },
  { file: '/app/functions/.user-activities.ts.swp', effect: none },
  { file: '/app/functions/user-activities.ts~', effect: none },
  { file: '/app/functions/4913', effect: none },
  { file: '/app/functions/#orders.ts#', effect: none },
  { file: '/app/functions/orders.ts___jb_tmp___', effect: none },
  { file: '/app/functions/orders.ts.tmp', effect: none },
  { file: '/elsewhere/node_modules/x/index.ts', effect: none }
]

for (const { file, effect } of files) {
  t.test(`a change of ${file} concerns ${JSON.stringify(effect)}`, t => {
    t.strictSame(effectOf(file, '/app', '/elsewhere'), effect)
    t.end()
  })
}

t.test('several changes concern all that each concerns', t => {
  t.strictSame(mergeEffects([]), none)
  t.strictSame(
    mergeEffects([
      { ...none, migrate: true },
      { ...none, runners: true }
    ]),
    { ...none, migrate: true, runners: true }
  )
  t.end()
})
