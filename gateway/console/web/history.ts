import type { Sample } from './shapes.ts'

type Members = Exclude<keyof Sample, 'at'>

/** Samples as charts take them: one list a member, all as long as `times`, which is epoch in seconds. */
export type Columns = Readonly<Record<Members, readonly (number | null)[]>> & { readonly times: readonly number[] }

const MEMBERS = [
  'messageRate',
  'settledRate',
  'deadLetterRate',
  'lag',
  'lagSeconds',
  'requestRate',
  'errorRate',
  'responseTime',
  'responseTimeP99',
  'queryLatency'
] as const satisfies readonly Members[]

/** What 20 minutes have at a sample a second: more is not drawn, whatever a gateway sends. */
const MAX_SAMPLES = 1_200

/** Turns samples into columns, the newest 1,200 of them. A time that is none is left out. */
export function toColumns(items: readonly Sample[]): Columns {
  const samples = items.slice(-MAX_SAMPLES).filter(({ at }) => !Number.isNaN(Date.parse(at)))
  const columns = Object.fromEntries(MEMBERS.map(name => [name, samples.map(sample => sample[name] ?? null)]))
  return { ...columns, times: samples.map(({ at }) => Date.parse(at) / 1000) } as unknown as Columns
}
