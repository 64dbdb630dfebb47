import pino from 'pino'
import { createWriter } from '../../db/writer.ts'
import { createKafkaClient } from '../../kafka/client.ts'
import { createClusterView } from '../../kafka/cluster.ts'
import { createLogReader } from '../../kafka/log-reader.ts'
import { loadFunctions, pickFunctions } from '../../sdk/load-functions.ts'
import { readRunnerConfig } from '../config.ts'
import { toGroupId } from '../create-attachment.ts'
import { type ImportCounts, importDeadLetters } from './import-dead-letters.ts'
import { toOperation } from './operator.ts'
import { type CommandOptions, parseOptions, USAGE } from './options.ts'
import { toProgress, toSummary } from './summary.ts'

const PROGRESS_MS = 1_000
const WRONG = /^SMG_(SDK_|RUNNER_BAD_OPTION|KAFKA_BAD_SETTING|KAFKA_NO_TOPIC)/

// The first signal ends the import behind its batch, the second the process.
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => (stop.signal.aborted ? process.exit(1) : stop.abort()))

try {
  const options = parseOptions(process.argv.slice(2))
  if (options) process.exitCode = await run(options)
  else process.stdout.write(USAGE)
} catch (error) {
  const { code, message } = error as Error & { code?: string }
  process.stderr.write(`${message}\n`)
  process.exitCode = WRONG.test(String(code)) ? 2 : 1
}
// A connection that is kept alive would hold the process for some seconds.
process.exit()

async function run(options: CommandOptions): Promise<number> {
  const { topic, functionTopic, fromEnvelope, limit, isDry } = options
  const config = readRunnerConfig(process.env)
  const log = pino({ name: 'dead-letters', level: config.LOG_LEVEL ?? 'error' }, pino.destination(2))
  pickFunctions(await loadFunctions(config.functionsFolder, config), [functionTopic])

  // Topics by their whole names: the dead letters are not ours.
  const client = createKafkaClient({ ...config, TOPIC_PREFIX: '' }, { clientId: 'smg-dead-letters', log })
  const reader = createLogReader(client)
  const cluster = createClusterView(client, { log })
  const writer = createWriter(config.DATABASE_URL, { applicationName: 'smg-dead-letters' })
  const kafkaTopic = `${config.TOPIC_PREFIX}${functionTopic}`
  try {
    const topicId = (await cluster.topicIds([kafkaTopic])).get(kafkaTopic) ?? null
    const counts = await importDeadLetters(
      {
        topic,
        groupId: options.groupId ?? toGroupId(functionTopic, config),
        target: { topic: functionTopic, kafkaTopic, topicId },
        fromEnvelope,
        limit,
        isDry,
        operation: toOperation(),
        stop: stop.signal,
        onProgress: createProgress()
      },
      { reader, writer, nowMs: Date.now }
    )
    process.stdout.write(toSummary(counts, options))
    if (stop.signal.aborted) process.stderr.write('Ended before the end of the topic: run it again for the rest\n')
    return stop.signal.aborted ? 1 : 0
  } finally {
    await Promise.all([reader.close(), cluster.close(), writer.close()])
  }
}

function createProgress() {
  let nextAtMs = performance.now() + PROGRESS_MS
  return (counts: ImportCounts) => {
    if (performance.now() < nextAtMs) return
    nextAtMs = performance.now() + PROGRESS_MS
    process.stderr.write(`${toProgress(counts)}\n`)
  }
}
