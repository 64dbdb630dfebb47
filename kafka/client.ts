import type { Admin, Consumer, ConsumerConfig, KafkaConfig, Producer } from 'kafkajs'
import type { Logger } from 'pino'
import { createLogCreator } from './client-log.ts'
import { type CodecName, registerCodecs } from './codecs.ts'
import type { KafkaSettings } from './config.ts'
import { loadKafkaJs, type Patches } from './kafkajs.ts'
import { type Cluster, findCluster } from './kafkajs-internals.ts'
import { loadTls, toSasl } from './security.ts'
import { openSocket } from './sockets.ts'
import { createTopicNames, type TopicNames } from './topic-names.ts'

const PRODUCER = {
  connectionTimeout: 1_000,
  requestTimeout: 2_500,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 3 }
}
const PATIENT = {
  connectionTimeout: 5_000,
  requestTimeout: 10_000,
  retry: { initialRetryTime: 100, maxRetryTime: 5_000, retries: 8 }
}
const METADATA_MAX_AGE_MS = 30_000

/** What a consumer may choose; the rest is fixed here. */
type ConsumerOptions = Omit<ConsumerConfig, 'allowAutoTopicCreation' | 'metadataMaxAge' | 'rackId'>

/** Makes clients of KafkaJS with the timeouts of their kind. Nothing is connected before its own `connect`. */
export interface KafkaClient extends TopicNames {
  readonly log: Logger
  /** `host:port` each. */
  readonly brokers: readonly string[]
  /** Codecs that cannot be written on this Node. */
  readonly unwritableCodecs: ReadonlySet<CodecName>
  /** Never idempotent, never partitions by itself: every message names its partition. */
  producer(): Producer
  consumer(options: ConsumerOptions): Consumer
  admin(): Admin
  /** KafkaJS's own cluster, unconnected, for requests that KafkaJS cannot make. */
  cluster(): Cluster
}

/**
 * Builds a client of the cluster in the settings. Files are read here and now, once.
 *
 * @throws SMG_KAFKA_BAD_SETTING for TLS files or SASL settings that cannot work
 */
export function createKafkaClient(
  settings: KafkaSettings,
  { clientId, log, patches = 'on' }: { clientId: string; log: Logger; patches?: Patches }
): KafkaClient {
  const kafkaJs = loadKafkaJs(patches)
  const unwritableCodecs = registerCodecs(kafkaJs)
  const brokers = settings.KAFKA_BROKERS.split(',')
  const ssl = loadTls(settings)
  const sasl = toSasl(settings)
  const common = {
    clientId,
    brokers,
    socketFactory: openSocket,
    logCreator: createLogCreator(log),
    logLevel: kafkaJs.logLevel.INFO,
    ...(ssl && { ssl }),
    ...(sasl && { sasl })
  } as KafkaConfig
  const quick = new kafkaJs.Kafka({ ...common, ...PRODUCER })
  const patient = new kafkaJs.Kafka({ ...common, ...PATIENT })
  const shared = { allowAutoTopicCreation: false, metadataMaxAge: METADATA_MAX_AGE_MS }

  return {
    ...createTopicNames(settings.TOPIC_PREFIX),
    log,
    brokers,
    unwritableCodecs,
    producer: () =>
      quick.producer({
        ...shared,
        // None inside a send: the lanes try again by themselves, in order and within the caller's deadline, and have to
        // know of each failure: a refusal says nothing of the try before it, which may have written.
        retry: { ...PRODUCER.retry, retries: 0 },
        createPartitioner:
          () =>
          ({ message }) =>
            message.partition ?? 0
      }),
    consumer: options => patient.consumer({ retry: PATIENT.retry, ...options, ...shared }),
    admin: () => patient.admin({ retry: PATIENT.retry }),
    cluster: () => findCluster(kafkaJs, patient)
  }
}
