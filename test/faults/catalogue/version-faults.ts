import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join, parse } from 'node:path'
import { isAnswering } from '../../../stack/node-part.ts'
import { createHttpClient } from '../http-client.ts'
import type { Member, System } from '../system.ts'
import { type Fault, type FaultContext, isSoon, seconds } from './fault.ts'
import { countLetters, redriveAll } from './letters.ts'
import { makeBatches, sendOwn } from './own-events.ts'
import { blameLostAnswers, restart } from './restart.ts'

const FUNCTIONS = join(import.meta.dirname, '..', 'functions')
const VERSIONS = join(import.meta.dirname, '..', 'versions')
const BATCH_SIZE = 40
const LANES = 3
const MOST_SENT = 20_000
const REFUSED = 'validation_failed'

/** Row 16: functions that are deployed anew under load. */
export const versionFaults: readonly Fault[] = [
  {
    row: 16,
    name: 'versions-side-by-side',
    title: 'a function is deployed with one property more, runners first, one process after the other',
    isAlone: true,
    inject: rollToNext
  },
  {
    row: 16,
    name: 'schema-narrowed',
    title: 'a runner is deployed with a schema that refuses what gateways accept, and mended',
    isAlone: true,
    inject: narrow
  }
]

async function rollToNext(context: FaultContext): Promise<void> {
  const { system } = context
  const folder = writeFunctions(system, 'entries-v2')
  await expectRefused(context)
  const over = new AbortController()
  // The load may be over by then.
  const ready = new Set(system.gateways)
  const lanes = Array.from({ length: LANES }, (_, lane) => keepSending(context, { lane, ready, over: over.signal }))
  const sending = [keepLooking(system, ready, over.signal), ...lanes]
  try {
    await rollAll(context, folder)
  } finally {
    over.abort()
    await Promise.all(sending)
  }
}

async function rollAll(context: FaultContext, folder: string): Promise<void> {
  const { system, signal } = context
  const fromMs = Date.now()
  for (const [index, member] of [...system.runners, ...system.gateways].entries()) {
    if (signal.aborted) return
    member.deploy({ FUNCTIONS_DIR: folder })
    await restart(member, context)
    const isGateway = system.gateways.includes(member)
    if (isGateway) blameLostAnswers(member, fromMs, context)
    const [events = []] = makeBatches({ name: `v${index}`, count: BATCH_SIZE, size: BATCH_SIZE })
    const url = isGateway ? member.url : (system.gateways[0]?.url ?? '')
    // Old ones and new ones of the same keys, where the gateway knows both.
    const own = events.map((event, place) => (isGateway && place % 2 === 1 ? { ...event, version: 2 } : event))
    const lines = await sendOwn(context, { url, topic: 'entries', events: own })
    const bad = lines.find(({ outcome }) => outcome.kind !== 'acked')
    if (bad) system.blame('I5', `${bad.ref}, sent after ${member.name} was deployed, is ${JSON.stringify(bad.outcome)}`)
  }
}

/** Looks away from a gateway that is not ready, as a load balancer does. */
async function keepLooking({ gateways }: System, ready: Set<Member>, over: AbortSignal): Promise<void> {
  for (; !over.aborted; await seconds(0.1, over)) {
    for (const gateway of gateways) {
      if (await isAnswering(`${gateway.url}/health/ready`)) ready.add(gateway)
      else ready.delete(gateway)
    }
  }
}

async function keepSending(
  context: FaultContext,
  { lane, ready, over }: { lane: number; ready: ReadonlySet<Member>; over: AbortSignal }
): Promise<void> {
  const { random, signal } = context
  const own = random.fork(`lane-${lane}`)
  const client = createHttpClient()
  for (const events of makeBatches({ name: `lane${lane}`, count: MOST_SENT, size: 2 })) {
    if (over.aborted || signal.aborted) break
    // Some request is always under way, as long as somebody is there to take it.
    if (ready.size === 0) await seconds(0.2, over)
    else await sendOwn(context, { url: own.pick([...ready]).url, topic: 'entries', events, client })
  }
  client.close()
}

/** The gateways of today do not know the property, else this would prove nothing. */
async function expectRefused(context: FaultContext): Promise<void> {
  const url = context.system.gateways[0]?.url ?? ''
  const events = [{ ref: 'v-early', key: 'v-early', seq: 1, version: 2 }]
  const [line] = await sendOwn(context, { url, topic: 'entries', events })
  if (line?.outcome.kind !== 'refused') throw new Error('the version before takes events of the next one')
}

async function narrow(context: FaultContext): Promise<void> {
  const { system, random, signal } = context
  const runner = random.pick(system.runners)
  runner.deploy({ FUNCTIONS_DIR: writeFunctions(system, 'entries-narrowed') })
  await restart(runner, context)

  const [events = []] = makeBatches({ name: 'narrow', count: BATCH_SIZE, size: BATCH_SIZE })
  let round = 0
  // It may need a moment until it owns partitions again.
  const isRefusing = async () => {
    round += 1
    const own = events.map((event, place) => {
      const seq = round * BATCH_SIZE + place
      return { ...event, ref: `${event.ref}-${round}`, seq, ...(place % 3 === 0 && { kind: 'large' }) }
    })
    await sendOwn(context, { url: random.pick(system.gateways).url, topic: 'entries', events: own })
    await seconds(0.5, signal)
    return (await countRefused(system)) > 5
  }
  const isRefused = await isSoon(isRefusing, { timeoutMs: 30_000, signal })
  const { dead } = await countLetters(system, 'entries', 'narrow-')
  const refused = await countRefused(system)
  system.note(`${refused} events were refused`)
  // Counted last: some may have been refused meanwhile.
  const others = dead - refused
  if (others > 0) system.blame('I1', `${others} events died of something else than their schema`)
  if (!isRefused) throw new Error('nothing was refused')

  runner.deploy({})
  await restart(runner, context)
  await redriveAll(context, { topic: 'entries', disposition: REFUSED }, 'narrow-')
}

async function countRefused(system: System): Promise<number> {
  const rows = await system.database.sql`
    SELECT FROM dead_letters WHERE topic = 'entries' AND disposition = ${REFUSED} AND key LIKE convert_to('narrow-%', 'UTF8')`
  return rows.length
}

/** Writes a folder with all functions, one of them in another version. JavaScript, which no package has to describe. */
function writeFunctions({ folder }: System, version: string): string {
  const target = join(folder, version)
  mkdirSync(target, { recursive: true })
  for (const file of readdirSync(FUNCTIONS)) {
    const { name } = parse(file)
    const source = version.startsWith(`${name}-`) ? join(VERSIONS, `${version}.ts`) : join(FUNCTIONS, file)
    writeFileSync(join(target, `${name}.mjs`), `export { default } from ${JSON.stringify(source)}\n`)
  }
  return target
}
