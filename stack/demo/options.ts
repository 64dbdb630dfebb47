import { parseArgs } from 'node:util'
import { demoErrors } from './errors.ts'

/** What a run of the demo is asked for. */
export interface DemoOptions {
  /** Events a second, of all topics together. */
  readonly rate: number
  readonly seconds: number
  /** Of the gateway, without a slash at the end; null: the running stack's. */
  readonly url: string | null
  readonly isHelp: boolean
}

export const USAGE = `npm run demo -- [options]

Sends what this machine measures, and what the demo itself asks of the gateway, to the running stack.

  --rate N      events a second, 1 to 20000; default 50. Above 50 they go in batches
  --seconds N   how long, 1 to 86400; default 30. Ctrl-C ends it earlier
  --url URL     the gateway; default: that of the running stack (SMG_DATA_DIR, .smg)
  --help        this text

SMG_TOKEN is the token for a gateway with security on: scopes read and produce:*.
Ends with 0 when all that was accepted has arrived, 1 when something is missing or the stack does not answer, 2 for a
wrong option.
`

/**
 * Reads the arguments of `npm run demo`.
 *
 * @throws SMG_DEMO_BAD_OPTION
 */
export function parseOptions(args: readonly string[]): DemoOptions {
  const { rate, seconds, url, help } = readArgs(args)

  return {
    rate: parseWhole('--rate', rate, { minimum: 1, maximum: 20_000 }),
    seconds: parseWhole('--seconds', seconds, { minimum: 1, maximum: 86_400 }),
    url: url === undefined ? null : parseUrl(url),
    isHelp: help
  }
}

function readArgs(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rate: { type: 'string', default: '50' },
        seconds: { type: 'string', default: '30' },
        url: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false }
      }
    }).values
  } catch (cause) {
    const [reason = 'wrong option'] = (cause as Error).message.split(/[.\n]/)
    throw Object.assign(new demoErrors.SMG_DEMO_BAD_OPTION(reason), { cause })
  }
}

function parseWhole(name: string, text: string, { minimum, maximum }: { minimum: number; maximum: number }): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= minimum && number <= maximum) return number
  const allowed = `a whole number from ${minimum} to ${maximum}`
  throw new demoErrors.SMG_DEMO_BAD_OPTION(`${name} is ${JSON.stringify(text)}; it may be ${allowed}`)
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url && /^https?:$/.test(url.protocol)) return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
  throw new demoErrors.SMG_DEMO_BAD_OPTION(`--url is ${JSON.stringify(text)}; it may be http://host:port`)
}
