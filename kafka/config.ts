import { type Static, type TObject, Type } from '@sinclair/typebox'

const BROKERS = '^[^\\s:,]+:\\d{1,5}(,[^\\s:,]+:\\d{1,5})*$'
const SASL = [Type.Literal('plain'), Type.Literal('scram-sha-256'), Type.Literal('scram-sha-512')]
const CODECS = [
  Type.Literal('none'),
  Type.Literal('gzip'),
  Type.Literal('zstd'),
  Type.Literal('lz4'),
  Type.Literal('snappy')
]

/** The variables of a link to Kafka, for the rooms that open one. */
export const kafkaSettings = {
  KAFKA_BROKERS: Type.String({ pattern: BROKERS, allowed: 'host:port, or several parted by commas' }),
  KAFKA_SSL: Type.Boolean({ default: false }),
  KAFKA_SSL_CA_FILE: Type.Optional(Type.String()),
  KAFKA_SSL_CERT_FILE: Type.Optional(Type.String()),
  KAFKA_SSL_KEY_FILE: Type.Optional(Type.String()),
  KAFKA_SASL_MECHANISM: Type.Optional(Type.Union(SASL)),
  KAFKA_SASL_USERNAME: Type.Optional(Type.String()),
  KAFKA_SASL_PASSWORD: Type.Optional(Type.String({ secret: true })),
  TOPIC_PREFIX: Type.String({
    default: '',
    pattern: '^[a-zA-Z0-9._-]{0,100}$',
    allowed: "up to 100 of Kafka's characters"
  }),
  GROUP_PREFIX: Type.String({
    default: 'smg.',
    pattern: '^[a-zA-Z0-9._-]{0,100}$',
    allowed: "up to 100 of Kafka's characters"
  }),
  TOPIC_CREATE: Type.Boolean({ default: true }),
  /** 1, and 3 in production. */
  TOPIC_REPLICATION_FACTOR: Type.Optional(Type.Integer({ minimum: 1, maximum: 32767 }))
}

/** The variables of a producer. */
export const producerSettings = {
  PRODUCE_TIMEOUT_MS: Type.Integer({ default: 10_000, minimum: 100, maximum: 600_000 }),
  PRODUCER_LANES: Type.Integer({ default: 4, minimum: 1, maximum: 64 }),
  PRODUCER_LINGER_MS: Type.Integer({ default: 2, minimum: 0, maximum: 1000 }),
  PRODUCER_BATCH_BYTES: Type.Integer({ default: 524_288, minimum: 1024, maximum: 10_485_760 }),
  PRODUCER_COMPRESSION: Type.Union(CODECS, { default: 'none' })
}

/** The variables of a consumer. */
export const consumerSettings = {
  CONSUMER_MAX_BYTES_PER_PARTITION: Type.Integer({ default: 524_288, minimum: 1024, maximum: 52_428_800 }),
  CONSUMER_MAX_WAIT_MS: Type.Integer({ default: 500, minimum: 10, maximum: 10_000 }),
  CONSUMER_SESSION_TIMEOUT_MS: Type.Integer({ default: 45_000, minimum: 6_000, maximum: 1_800_000 })
}

export type KafkaSettings = Readonly<Static<TObject<typeof kafkaSettings>>>
export type ProducerSettings = Readonly<Static<TObject<typeof producerSettings>>>
export type ConsumerSettings = Readonly<Static<TObject<typeof consumerSettings>>>
