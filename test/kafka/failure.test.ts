import t from 'tap'
import { kafkaErrors } from '../../kafka/errors.ts'
import { isCoordinatorLoading, isPoison, toFailureKind, toKafkaError } from '../../kafka/failure.ts'
import { kafkaJsError } from '../_support/fake-kafkajs.ts'

const failures = [
  { error: kafkaJsError('MESSAGE_TOO_LARGE'), kind: 'size', code: 'SMG_KAFKA_TOO_LARGE' },
  { error: kafkaJsError('INVALID_RECORD'), kind: 'record', code: 'SMG_KAFKA_REFUSED' },
  { error: kafkaJsError('UNKNOWN_TOPIC_OR_PARTITION'), kind: 'topic', code: 'SMG_KAFKA_NO_TOPIC' },
  { error: kafkaJsError('CLUSTER_AUTHORIZATION_FAILED'), kind: 'refused', code: 'SMG_KAFKA_REFUSED' },
  { error: kafkaJsError('NOT_LEADER_FOR_PARTITION'), kind: 'world', code: 'SMG_KAFKA_UNAVAILABLE' },
  { error: new Error('ECONNREFUSED'), kind: 'world', code: 'SMG_KAFKA_UNAVAILABLE' },
  { error: undefined, kind: 'world', code: 'SMG_KAFKA_UNAVAILABLE' }
]

for (const { error, kind, code } of failures) {
  t.test(`sees ${error} as ${kind}`, async t => {
    t.equal(toFailureKind(error), kind)
    t.match(toKafkaError(error, 'a'), { code, cause: error })
  })
}

t.test('leaves an error of its own as it is', async t => {
  const error = new kafkaErrors.SMG_KAFKA_NO_TOPIC('a')

  t.equal(toKafkaError(error), error)
})

t.test('survives an error that is its own cause', async t => {
  const error = new Error('round')
  error.cause = error

  t.equal(toFailureKind(error), 'world')
})

t.test('knows what sticks to a producer', async t => {
  t.equal(isPoison(kafkaJsError('LEADER_NOT_AVAILABLE')), true)
  t.equal(isPoison(Object.assign(new Error('no metadata'), { name: 'KafkaJSMetadataNotLoaded' })), true)
  t.equal(isPoison(kafkaJsError('NOT_ENOUGH_REPLICAS')), false)
})

t.test('knows a coordinator that is on its way', async t => {
  for (const type of ['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE']) {
    t.equal(isCoordinatorLoading(kafkaJsError(type)), true, type)
    t.equal(isCoordinatorLoading(toKafkaError(kafkaJsError(type))), true, `${type}, translated`)
  }
  t.equal(isCoordinatorLoading(kafkaJsError('GROUP_AUTHORIZATION_FAILED')), false)
  t.equal(isCoordinatorLoading(new Error("The coordinator is loading and hence can't process requests")), false)
})
