import zlib from 'node:zlib'
import { consumerSettings, producerSettings } from '../../kafka/config.ts'
import type { Measurement } from '../report.ts'

/** How a setting's effect is measured. */
export type Way = 'produce' | 'drain' | 'idle' | 'kill'

/** A setting with the values to compare. */
export interface Knob {
  readonly name: keyof typeof SETTINGS
  readonly way: Way
  readonly defaultValue: string
  /** With the default, which is the first. */
  readonly values: readonly string[]
}

/** With what a knob is measured. */
export interface KnobLoad {
  /** Events a second. */
  readonly rate: number
  /** Of a topic that is drained. */
  readonly events: number
  readonly seconds: number
  readonly rounds: number
  /** No round before the first warms up what is measured: for a look at whether it works. */
  readonly isCold: boolean
  readonly onMeasured: (measurement: Measurement) => void
}

const SETTINGS = { ...producerSettings, ...consumerSettings }
// From 22.15 on; the types of Node 20 do not know it.
const CODECS = ['gzip', 'lz4', 'snappy', ...('zstdCompress' in zlib ? ['zstd'] : [])]

const KNOBS: readonly Knob[] = [
  toKnob('PRODUCER_LINGER_MS', 'produce', ['0', '2', '5', '20']),
  toKnob('PRODUCER_BATCH_BYTES', 'produce', ['65536', '524288', '1048576']),
  toKnob('PRODUCER_COMPRESSION', 'produce', ['none', ...CODECS]),
  toKnob('PRODUCER_LANES', 'produce', ['1', '4', '12']),
  toKnob('CONSUMER_MAX_BYTES_PER_PARTITION', 'drain', ['65536', '524288', '4194304']),
  toKnob('CONSUMER_MAX_WAIT_MS', 'idle', ['50', '500', '5000']),
  toKnob('CONSUMER_SESSION_TIMEOUT_MS', 'kill', ['6000', '10000', '45000'])
]

/**
 * Reads which knobs to measure, parted by spaces, each with values of its own or without: `PRODUCER_LANES=1,8
 * PRODUCER_LINGER_MS`. Empty: all. Throws for a name that is none.
 */
export function parseKnobs(text: string): readonly Knob[] {
  const words = text.split(' ').filter(Boolean)
  return words.length === 0 ? KNOBS : words.map(parseKnob)
}

/** What the measurements of a value are called. */
export function toName({ name }: Knob, value: string): string {
  return `${name}=${value}`
}

function parseKnob(word: string): Knob {
  const [name, values] = word.split('=', 2)
  const knob = KNOBS.find(known => known.name === name)
  if (!knob) throw new Error(`--only: ${name} is none of ${KNOBS.map(known => known.name).join(', ')}`)
  return values ? toKnob(knob.name, knob.way, values.split(',')) : knob
}

function toKnob(name: Knob['name'], way: Way, values: readonly string[]): Knob {
  const defaultValue = String(SETTINGS[name].default)
  return { name, way, defaultValue, values: [defaultValue, ...values.filter(value => value !== defaultValue)] }
}
