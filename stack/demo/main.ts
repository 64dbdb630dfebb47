import { resolve } from 'node:path'
import { Type } from '@sinclair/typebox'
import { parseSettings } from '../../sdk/config.ts'
import { getGatewayUrl } from './find-gateway.ts'
import { parseOptions, USAGE } from './options.ts'
import { runDemo } from './run-demo.ts'

const root = resolve(import.meta.dirname, '../..')
const settings = {
  SMG_DATA_DIR: Type.String({ default: '.smg' }),
  SMG_TOKEN: Type.Optional(Type.String({ secret: true }))
}
/** npm passes Ctrl-C on to a process that the terminal has already told: what comes sooner is the same one. */
const SAME_SIGNAL_MS = 500

// `npm run demo | head` must not end in a stack trace.
process.stdout.on('error', () => process.exit(1))

// The first Ctrl-C ends the measuring, the second the waiting, the third the process.
const [stop, giveUp] = [new AbortController(), new AbortController()]
let signalledAtMs = Number.NEGATIVE_INFINITY
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)

try {
  process.exitCode = await run()
} catch (error) {
  const { code, message } = error as Error & { code?: string }
  process.stderr.write(`${message}\n`)
  process.exitCode = code === 'SMG_DEMO_BAD_OPTION' || code === 'SMG_SDK_BAD_SETTING' ? 2 : 1
}
// Connections that are kept alive would hold the process for some seconds.
process.exit()

async function run(): Promise<number> {
  const { url, rate, seconds, isHelp } = parseOptions(process.argv.slice(2))
  if (isHelp) {
    process.stdout.write(USAGE)
    return 0
  }
  const { SMG_DATA_DIR, SMG_TOKEN } = parseSettings(settings, process.env)
  const missing = await runDemo({
    gatewayUrl: url ?? getGatewayUrl(resolve(root, SMG_DATA_DIR)),
    token: SMG_TOKEN ?? null,
    rate,
    seconds,
    write: text => process.stdout.write(text),
    isTerminal: process.stdout.isTTY === true,
    stop: stop.signal,
    giveUp: giveUp.signal
  })
  return missing > 0 ? 1 : 0
}

function onSignal() {
  if (performance.now() - signalledAtMs < SAME_SIGNAL_MS) return
  signalledAtMs = performance.now()
  if (giveUp.signal.aborted) process.exit(130)
  if (stop.signal.aborted) giveUp.abort()
  stop.abort()
}
