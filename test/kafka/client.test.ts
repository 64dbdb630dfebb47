import t from 'tap'
import { createKafkaClient } from '../../kafka/client.ts'
import { silent } from '../_support/kafka.ts'

const settings = {
  KAFKA_BROKERS: '127.0.0.1:1',
  KAFKA_SSL: false,
  TOPIC_PREFIX: '',
  GROUP_PREFIX: 'smg.',
  TOPIC_CREATE: true
}

t.test(
  'makes no producer idempotent: its sequences do not survive records that are sent again with others',
  async t => {
    const client = createKafkaClient(settings, { clientId: 'smg-test', log: silent })

    t.equal(client.producer().isIdempotent(), false)
  }
)
