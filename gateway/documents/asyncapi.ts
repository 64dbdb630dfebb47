import type { TSchema } from '@sinclair/typebox'
import { MAX_MESSAGE_BYTES } from '../../kafka/topic-drift.ts'
import type { LoadedFunction } from '../../sdk/types.ts'
import { exampleOf } from '../schemas/produce.ts'
import { ABOUT } from './about.ts'
import { DeadLetterHeaders, EventHeaders } from './headers.ts'

/** Of the bindings, https://github.com/asyncapi/bindings/tree/master/kafka */
const bindingVersion = '0.5.0'
// What every topic is made with; how long it keeps its records differs from place to place.
const topicConfiguration = { 'cleanup.policy': ['delete'], 'max.message.bytes': MAX_MESSAGE_BYTES }

/** Where the topics of one function are. */
interface Place {
  readonly topic: string
  readonly groupId: string
  /** Of its dead letters. */
  readonly mirrorTopic: string
}

/**
 * Builds the AsyncAPI document of functions: for each its topic, and the topic of its dead letters. Actions are those of
 * the system: it sends what its routes took, and receives it again.
 */
export function buildAsyncapi(functions: Iterable<LoadedFunction>, { groupPrefix }: { readonly groupPrefix: string }) {
  const described = [...functions].map(definition => {
    const { topic } = definition
    const groupId = `${groupPrefix}${topic}`
    return describe(definition, { topic, groupId, mirrorTopic: `dlq.${groupId}.${topic}` })
  })
  const collect = (member: keyof ReturnType<typeof describe>) => Object.assign({}, ...described.map(one => one[member]))

  return {
    asyncapi: '3.0.0',
    info: {
      ...ABOUT,
      description:
        'Events as they lie in Kafka. Whoever writes them without the gateway, and whoever reads beside the runners, finds ' +
        'the topics, keys, headers and schemas here; over HTTP the same schemas are in /openapi.json. `TOPIC_PREFIX` stands ' +
        'before every name in Kafka, and is not shown here.'
    },
    defaultContentType: 'application/json',
    servers: {
      kafka: {
        host: '{broker}',
        protocol: 'kafka',
        description:
          'The brokers of `KAFKA_BROKERS`; with TLS and SASL where `KAFKA_SSL` and `KAFKA_SASL_MECHANISM` say so.',
        variables: { broker: { default: 'localhost:9092', description: 'One of them, `host:port`.' } }
      }
    },
    channels: collect('channels'),
    operations: collect('operations'),
    components: {
      messages: collect('messages'),
      schemas: toJson({ EventHeaders, DeadLetterHeaders, ...collect('schemas') })
    }
  }
}

function describe(definition: LoadedFunction, place: Place) {
  const { topic, mirrorTopic } = place
  return {
    channels: { [topic]: toChannel(definition), [mirrorTopic]: toMirrorChannel(definition, place) },
    operations: {
      [`send-${topic}`]: {
        action: 'send',
        ...toTarget(topic),
        summary: `Sends the events of POST /api/produce/${topic}, and those that functions publish`
      },
      [`receive-${topic}`]: {
        action: 'receive',
        ...toTarget(topic),
        summary: 'Runs each event through its function; its effect is in PostgreSQL exactly once',
        bindings: { kafka: { groupId: { type: 'string', const: place.groupId }, bindingVersion } }
      },
      [`send-${mirrorTopic}`]: {
        action: 'send',
        ...toTarget(mirrorTopic),
        summary: 'Copies each dead letter; the row in `dead_letters` is the truth, and a copy may come twice'
      }
    },
    messages: { [topic]: toMessage(definition), [mirrorTopic]: toMirrorMessage(place) },
    schemas: { [topic]: definition.event }
  }
}

function toChannel({ topic, options }: LoadedFunction) {
  return {
    address: topic,
    title: `Events of ${topic}`,
    messages: { [topic]: { $ref: `#/components/messages/${topic}` } },
    bindings: { kafka: { topic, partitions: options.partitions, topicConfiguration, bindingVersion } }
  }
}

function toMirrorChannel({ options }: LoadedFunction, { topic, mirrorTopic }: Place) {
  return {
    address: mirrorTopic,
    title: `Dead letters of ${topic}`,
    description: 'It has as many partitions as its source at least. A name above 249 characters ends in a hash.',
    messages: { [mirrorTopic]: { $ref: `#/components/messages/${mirrorTopic}` } },
    bindings: { kafka: { topic: mirrorTopic, partitions: options.partitions, topicConfiguration, bindingVersion } }
  }
}

function toMessage({ topic, event }: LoadedFunction) {
  const payload = exampleOf(event)
  return {
    name: topic,
    title: `An event of ${topic}`,
    contentType: 'application/json',
    headers: { $ref: '#/components/schemas/EventHeaders' },
    payload: { $ref: `#/components/schemas/${topic}` },
    bindings: {
      kafka: {
        key: {
          type: ['string', 'null'],
          description: 'What the function orders its events by, in UTF-8; null without a key.'
        },
        bindingVersion
      }
    },
    ...(payload && { examples: [{ name: 'least', summary: 'What the schema requires', payload }] })
  }
}

function toMirrorMessage({ topic, mirrorTopic }: Place) {
  return {
    name: mirrorTopic,
    title: `A dead letter of ${topic}`,
    summary: 'Key, value and headers of the record as they were, byte for byte, and why it could not be settled.',
    headers: { $ref: '#/components/schemas/DeadLetterHeaders' },
    payload: { description: 'The bytes of the record. They need be neither JSON nor of the schema of its topic.' }
  }
}

function toTarget(topic: string) {
  return {
    channel: { $ref: `#/channels/${topic}` },
    messages: [{ $ref: `#/channels/${topic}/messages/${topic}` }]
  }
}

/** Without the symbols that TypeBox keeps in its schemas. */
function toJson(schemas: Readonly<Record<string, TSchema>>): object {
  return JSON.parse(JSON.stringify(schemas))
}
