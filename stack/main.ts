import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseStackConfig } from './config.ts'
import { takeLock } from './lock.ts'
import { createOutput } from './output.ts'
import { createStack } from './stack.ts'
import { toSummary, withoutPassword } from './summary.ts'

const root = join(import.meta.dirname, '..')
const startedAt = performance.now()

// A closed terminal must not end the stack before its parts.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

const config = orExit(2, () => parseStackConfig(process.env, root))
const releaseLock = orExit(1, () => {
  mkdirSync(config.dataFolder, { recursive: true })
  return takeLock(join(config.dataFolder, 'stack.lock'))
})

const isTerminal = process.stdout.isTTY === true
const output = createOutput({
  write: text => process.stdout.write(text),
  isTerminal,
  logFolder: join(config.dataFolder, 'logs')
})
const stack = createStack({ config, environment: process.env, root, output })

let stopping: Promise<never> | undefined
// npm passes Ctrl-C on to a process that the terminal has already told: only the first counts.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(0, `stops (${signal})`))
process.on('uncaughtException', error => {
  output.log.error({ err: error }, 'the stack itself failed')
  stop(1, 'stops')
})

try {
  const state = await stack.start()
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const { gatewayUrl, runnerUrls, kafkaBrokers, databaseUrl } = state
  const { dataFolder } = config
  if (isTerminal) output.print(toSummary({ gatewayUrl, runnerUrls, kafkaBrokers, databaseUrl, dataFolder, seconds }))
  const shown = { gatewayUrl, runnerUrls, kafkaBrokers, databaseUrl: withoutPassword(databaseUrl), dataFolder }
  if (!isTerminal) output.log.info(shown, `ready after ${seconds} s`)
} catch (error) {
  if (!stopping) output.log.error(error instanceof Error ? error.message : String(error))
  await stop(1, 'stops what it had started')
}

function stop(code: number, message: string): Promise<never> {
  stopping ??= (async () => {
    output.log.info(message)
    await stack.stop()
    releaseLock()
    output.log.info('stopped')
    output.close()
    return process.exit(code)
  })()
  return stopping
}

function orExit<T>(code: number, run: () => T): T {
  try {
    return run()
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    return process.exit(code)
  }
}
