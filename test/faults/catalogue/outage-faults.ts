import { type Outage, openOutage } from '../outage.ts'
import type { System } from '../system.ts'
import { type Fault, type FaultContext, seconds } from './fault.ts'

// What FAULTS promises of an outage; seen on a machine that does nothing else.
const MOST_EFFECT_MS = 2_000
const MOST_CPU_SHARE = 0.05
// What is in hand when it goes away costs something once.
const STEADY_MS = 20_000

/** Rows 5 and 6: PostgreSQL is away for a while, and what that costs. */
export const outageFaults: readonly Fault[] = [
  {
    row: 5,
    name: 'postgres-killed',
    title: 'kill -9 of PostgreSQL under load',
    async inject(context) {
      const { system, history, signal } = context
      const { process } = system.postgres
      const outage = await openOutage(system, history)
      await process.end('SIGKILL')
      await seconds(0.5, signal)
      outage.end()
      await Promise.all([process.start(), report(context, outage)])
    }
  },
  {
    row: 6,
    name: 'postgres-down',
    title: 'PostgreSQL is stopped for a while',
    async inject(context) {
      const { system, history, signal } = context
      const { process } = system.postgres
      const outage = await openOutage(system, history)
      await process.end('SIGINT')
      await seconds(system.isFull ? 600 : 5, signal)
      await expectDegraded(system)
      outage.end()
      await Promise.all([process.start(), report(context, outage)])
    }
  }
]

/** Says what the outage cost; of a long one it must be little. */
async function report({ system, isOnly }: FaultContext, outage: Outage): Promise<void> {
  const { effectMs, awayMs, cpuShares, rebalances, deadLetters } = await outage.measure()
  // There may have been nothing to do: the drain decides whether something was left.
  const effect = effectMs === null ? 'no new effect within 10 s' : `first new effect after ${Math.round(effectMs)} ms`
  const shares = cpuShares.map(({ name, share }) => `${name} ${toPercent(share)}`).join(', ')
  system.measure(`${effect}, processor ${shares}, ${rebalances} rebalances, ${deadLetters} good events dead`)
  if (!system.isFull || !isOnly) return

  if ((effectMs ?? 0) > MOST_EFFECT_MS)
    system.blame('I7', `the first new effect came after ${Math.round(effectMs ?? 0)} ms`)
  for (const { name, share } of cpuShares) {
    if (share > MOST_CPU_SHARE && awayMs > STEADY_MS)
      system.blame('I7', `${name} needed ${toPercent(share)} of a processor to wait`)
  }
  if (rebalances > 0) system.blame('I7', `${rebalances} rebalances while PostgreSQL was away`)
  if (deadLetters > 0) system.blame('I7', `${deadLetters} good events became dead letters while PostgreSQL was away`)
}

function toPercent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

/** Who is asked tells what is away. */
async function expectDegraded(system: System): Promise<void> {
  for (const { name, url, process } of system.gateways) {
    // Another fault may start PostgreSQL meanwhile.
    if (!process.isRunning() || system.postgres.process.isRunning()) continue
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) }).catch(() => null)
    const body = (await answer?.json().catch(() => null)) as { checks?: { database?: string } } | null
    if (body && body.checks?.database !== 'down' && !system.postgres.process.isRunning()) {
      system.blame('I9', `${name} says that PostgreSQL is ${body.checks?.database}, and it is stopped`)
    }
  }
}
