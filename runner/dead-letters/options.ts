import { parseArgs } from 'node:util'
import { runnerErrors } from '../errors.ts'

/** What `npm run dead-letters` is asked for; null is a wish for help. */
export interface CommandOptions {
  /** The topic of dead letters, by its whole name in Kafka. */
  readonly topic: string
  /** The function's topic. */
  readonly functionTopic: string
  readonly fromEnvelope: boolean
  /** Infinity without one. */
  readonly limit: number
  readonly isDry: boolean
  /** Null: the function's own. */
  readonly groupId: string | null
}

export const USAGE = `npm run dead-letters -- import --topic NAME --function TOPIC [options]

Reads the dead letters that another system left in a Kafka topic, and writes them into the table dead_letters, from where
they are redriven like our own. Knows the headers of Kafka (KIP-1191), Kafka Streams, Kafka Connect, Spring Kafka, Spring
Cloud Stream, SmallRye, Wolverine, Karafka, Watermill and Knative. A second import adds only what is new.

  --topic NAME           their topic, by its whole name in Kafka: TOPIC_PREFIX is not put before it
  --function TOPIC       the function that shall handle them, by its topic (the name of its file)
  --from-json-envelope   the values are JSON envelopes, of kafka-hooks or AWS Lambda, with the record inside
  --limit N              how many to import at most, 1 to 1000000000; default: all
  --dry-run              counts, and writes nothing
  --group GROUP          the consumer group that they are filed under; default: the function's own, GROUP_PREFIX and TOPIC
  --help                 this text

Needs KAFKA_BROKERS and DATABASE_URL, and takes the other settings of the runner. Reads from the start of the topic to where
it ends now, without a consumer group: nothing is committed in Kafka. Ctrl-C ends it behind the rows that are being written.
Ends with 0 when all was read, 1 when it failed or was ended, 2 for a wrong option or setting.
`

const OPTIONS = {
  topic: { type: 'string' },
  function: { type: 'string' },
  'from-json-envelope': { type: 'boolean', default: false },
  limit: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
  group: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false }
} as const

/**
 * Reads the arguments of `npm run dead-letters`.
 *
 * @throws SMG_RUNNER_BAD_OPTION
 */
export function parseOptions(args: readonly string[]): CommandOptions | null {
  const { values, positionals } = readArgs(args)
  if (values.help) return null
  if (positionals.length !== 1 || positionals[0] !== 'import')
    throw new runnerErrors.SMG_RUNNER_BAD_OPTION(
      positionals.length === 0 ? 'A command is missing: import' : `There is no command ${positionals.join(' ')}: import`
    )
  return {
    topic: required('--topic', values.topic),
    functionTopic: required('--function', values.function),
    fromEnvelope: values['from-json-envelope'],
    limit: parseLimit(values.limit),
    isDry: values['dry-run'],
    groupId: values.group || null
  }
}

function readArgs(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  } catch (cause) {
    const [reason = 'Wrong option'] = (cause as Error).message.split(/[.\n]/)
    throw Object.assign(new runnerErrors.SMG_RUNNER_BAD_OPTION(reason), { cause })
  }
}

function required(name: string, value: string | undefined): string {
  if (!value) throw new runnerErrors.SMG_RUNNER_BAD_OPTION(`${name} is missing`)
  return value
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY
  const limit = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > 1_000_000_000)
    throw new runnerErrors.SMG_RUNNER_BAD_OPTION(`--limit is ${text}; it may be 1 to 1000000000`)
  return limit
}
