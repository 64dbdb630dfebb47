import { Type } from '@sinclair/typebox'
import { Id, Nullable, Time, Words } from './values.ts'

export const Severity = Words(['warning', 'critical'], 'how much it matters')
const State = Words(['ok', 'pending', 'firing'], '`pending` until it lasted for `forSeconds`')
const Value = Nullable(Type.Number(), 'null while it is not known')
const Since = Nullable(Time('when the condition began to hold'), 'null while it does not')
const Subject = Nullable(
  Type.String({ examples: ['user-activities'] }),
  'a topic or a broker; null where there is only one'
)

/** An alert rule with what it says now. */
export const Alert = Type.Object(
  {
    name: Type.String({ examples: ['HighConsumerLag'] }),
    severity: Severity,
    state: State,
    value: Value,
    threshold: Type.Number({ description: 'it fires above this', examples: [10_000] }),
    unit: Type.String({ description: 'of value and threshold', examples: ['records'] }),
    since: Since,
    summary: Type.String({ description: 'what is wrong when it fires' }),
    description: Type.String(),
    action: Type.String({ description: 'what to do' }),
    forSeconds: Type.Integer({ minimum: 0, description: 'so long it must last' }),
    subjects: Type.Array(Type.Object({ subject: Subject, state: State, value: Value, since: Since }), {
      description: 'the worst first'
    })
  },
  { $id: 'Alert', description: 'An alert rule; its worst subject speaks for it.' }
)

const Delivery = Type.Object({
  sink: Words(['log', 'webhook', 'notifications'], 'where it goes'),
  state: Words(['pending', 'delivered', 'given_up'], 'what became of it'),
  attempts: Type.Integer({ minimum: 0 }),
  at: Nullable(Time('of the last attempt'), 'null before the first')
})

/** What was told of an alert. */
export const AlertNotice = Type.Object(
  {
    id: Id('of the notice; the same whichever gateway sends it, and however often'),
    name: Type.String({ examples: ['HighConsumerLag'] }),
    severity: Severity,
    subject: Subject,
    event: Words(['fired', 'cleared'], 'which of the two'),
    value: Value,
    threshold: Type.Number(),
    at: Time('when it was noticed'),
    summary: Type.String(),
    deliveries: Type.Array(Delivery)
  },
  { $id: 'AlertNotice', description: 'A notice of an alert: one when it fires, one when it clears.' }
)
