import { parseArgs } from 'node:util'

/** What the fault tests are asked for. */
export interface FaultOptions {
  readonly schedules: number
  readonly seed: number
  readonly events: number
  readonly eventsPerSecond: number
  /** Every fault alone, instead of random schedules. */
  readonly isCatalogue: boolean
  readonly times: number
  /** Names of faults, or numbers of rows; empty: all. */
  readonly only: readonly string[]
  readonly isFull: boolean
  readonly isNaive: boolean
  readonly useIdempotencyKeys: boolean
  readonly keepFolder: string | null
}

/** Reads the command line. @throws what node:util says of an unknown option, or of a number that is none */
export function parseOptions(args: readonly string[]): FaultOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      schedules: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      events: { type: 'string', default: '10000' },
      rate: { type: 'string', default: '1200' },
      catalogue: { type: 'boolean', default: false },
      times: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      full: { type: 'boolean', default: false },
      naive: { type: 'boolean', default: false },
      'idempotency-keys': { type: 'boolean', default: false },
      keep: { type: 'string' }
    }
  })
  return {
    schedules: toNumber('schedules', values.schedules),
    seed: toNumber('seed', values.seed),
    events: toNumber('events', values.events),
    eventsPerSecond: toNumber('rate', values.rate),
    isCatalogue: values.catalogue,
    times: toNumber('times', values.times),
    only: values.only.split(',').filter(Boolean),
    isFull: values.full,
    isNaive: values.naive,
    useIdempotencyKeys: values['idempotency-keys'],
    keepFolder: values.keep ?? null
  }
}

function toNumber(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} is ${text}; it may be 1 or more`)
  return number
}
