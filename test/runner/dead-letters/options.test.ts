import t from 'tap'
import { parseOptions } from '../../../runner/dead-letters/options.ts'

const REQUIRED = ['import', '--topic', 'orders.DLT', '--function', 'orders']

t.test('reads the options of an import', async t => {
  t.strictSame(parseOptions(REQUIRED), {
    topic: 'orders.DLT',
    functionTopic: 'orders',
    fromEnvelope: false,
    limit: Number.POSITIVE_INFINITY,
    isDry: false,
    groupId: null
  })
  const all = [...REQUIRED, '--from-json-envelope', '--limit', '5', '--dry-run', '--group', 'g']
  t.match(parseOptions(all), { fromEnvelope: true, limit: 5, isDry: true, groupId: 'g' })
  t.equal(parseOptions(['--help']), null)
})

const wrong = [
  { when: 'no command', args: [], message: /import/ },
  { when: 'another command', args: ['export'], message: /export/ },
  { when: 'no topic', args: ['import', '--function', 'a'], message: /--topic/ },
  { when: 'no function', args: ['import', '--topic', 'a'], message: /--function/ },
  { when: 'an unknown option', args: [...REQUIRED, '--force'], message: /force/ },
  { when: 'a limit of nothing', args: [...REQUIRED, '--limit', '0'], message: /--limit is 0/ },
  { when: 'a limit that is no number', args: [...REQUIRED, '--limit', 'x'], message: /--limit is x/ }
]
for (const { when, args, message } of wrong) {
  t.test(`refuses ${when}, and says where help is`, async t => {
    t.throws(() => parseOptions(args), { code: 'SMG_RUNNER_BAD_OPTION', message })
    t.throws(() => parseOptions(args), { message: /--help/ })
  })
}
