import { SESSION_TIMEOUT_MS, type System } from '../system.ts'
import { type Fault, type FaultContext, seconds } from './fault.ts'
import { createProbe } from './probe.ts'

/** Row 16: rights in Kafka that are taken away, and given back. */
export const accessFaults: readonly Fault[] = [
  {
    row: 16,
    name: 'acl-denied-write',
    title: 'the broker does not let the gateways write a topic, nor then know of it',
    needs: ['loopback'],
    async inject(context) {
      for (const operation of ['write', 'all'] as const) await denyWriting(context, operation)
    }
  },
  {
    row: 16,
    name: 'acl-denied-read',
    title: 'the broker does not let the runners read one topic, nor be in the group of another',
    needs: ['loopback'],
    async inject(context) {
      for (const operation of ['read', 'all'] as const) await denyReading(context, operation)
    }
  }
]

const DENIED = 'entries'
const DENIED_GROUP = 'ledger'
const OTHER = 'orders'
/** Brokers hear of an ACL a moment after it was made. */
const SPREAD_SECONDS = 1
const HEAL_SECONDS = 15
const LOOKS = 10

async function denyWriting(context: FaultContext, operation: 'write' | 'all'): Promise<void> {
  const { system, signal, isOnly } = context
  const probe = createProbe(context, `write-${operation}`)
  const starts = countStarts(system)
  let refused = 0
  try {
    const name = `${system.topicPrefix}${DENIED}`
    await system.cluster.access.deny('gateway', [{ resource: 'topic', name, operation }])
    await seconds(SPREAD_SECONDS, signal)
    const untilMs = Date.now() + (system.isFull ? 60_000 : 3_000)
    while (Date.now() < untilMs && !signal.aborted) {
      for (const gateway of system.gateways) {
        const denied = await probe.send(gateway, DENIED)
        if (denied.kind === 'acked') {
          system.blame('I1', `${denied.ref} is acknowledged by ${gateway.name}, which may not write ${DENIED}`)
        }
        if (denied.kind === 'refused' && denied.status >= 400) refused += 1
        if (isOnly) await expectOthers(context, { gateway, probe })
      }
      await seconds(0.1, signal)
    }
  } finally {
    await system.cluster.access.restore()
  }
  system.note(`${refused} probes were refused while ${operation} was denied`)
  if (refused === 0 && !signal.aborted && isOnly) throw new Error('nothing was refused')
  if (isOnly) await expectProducing(context, probe)
  if (isOnly && countStarts(system) !== starts) system.blame('I7', 'a process ended when a right was taken away')
  probe.close()
}

/** One topic is nothing to the others, nor to the readiness of the gateway. */
async function expectOthers(
  { system }: FaultContext,
  { gateway, probe }: { gateway: System['gateways'][number]; probe: ReturnType<typeof createProbe> }
): Promise<void> {
  const other = await probe.send(gateway, OTHER)
  if (other.kind !== 'acked') {
    system.blame('I7', `${gateway.name} does not write ${OTHER} while it may not write ${DENIED}: ${other.reason}`)
  }
  const ready = await fetch(`${gateway.url}/health/ready`, { signal: AbortSignal.timeout(5_000) }).catch(() => null)
  if (ready?.status !== 200) system.blame('I9', `${gateway.name} is not ready, and all topics but one can be written`)
}

async function expectProducing({ system, signal }: FaultContext, probe: ReturnType<typeof createProbe>): Promise<void> {
  for (const gateway of system.gateways) {
    let isWritten = false
    const untilMs = Date.now() + HEAL_SECONDS * 1000
    while (!isWritten && Date.now() < untilMs && !signal.aborted) {
      isWritten = (await probe.send(gateway, DENIED)).kind === 'acked'
      if (!isWritten) await seconds(0.2, signal)
    }
    if (!isWritten && !signal.aborted) {
      system.blame('I7', `${gateway.name} does not write ${DENIED}, ${HEAL_SECONDS} s after it may again`)
    }
  }
}

async function denyReading(context: FaultContext, operation: 'read' | 'all'): Promise<void> {
  const { system, signal, isOnly } = context
  const probe = createProbe(context, `read-${operation}`)
  const starts = countStarts(system)
  const [gateway] = system.gateways
  if (!gateway) return
  try {
    await system.cluster.access.deny('runner', [
      { resource: 'topic', name: `${system.topicPrefix}${DENIED}`, operation },
      { resource: 'group', name: `${system.groupPrefix}${DENIED_GROUP}`, operation }
    ])
    // Who is in a group may read on until its next heartbeat is refused.
    await seconds(SPREAD_SECONDS + (2 * SESSION_TIMEOUT_MS) / 3_000, signal)
    if (isOnly) await expectUnwellFunctions(system, signal)
    const [entry, ledger, other] = [
      await probe.send(gateway, DENIED),
      await probe.send(gateway, DENIED_GROUP),
      await probe.send(gateway, OTHER)
    ]
    if (isOnly && !(await probe.isHandled(OTHER, other, 5_000))) {
      system.blame('I7', `${OTHER} stands still while ${DENIED} may not be read`)
    }
    await seconds(system.isFull ? 60 : 1, signal)
    if (await probe.isHandled(DENIED, entry, 0)) throw new Error(`${DENIED} was read all the same`)
    if (await probe.isHandled(DENIED_GROUP, ledger, 0)) throw new Error(`${DENIED_GROUP} was read all the same`)
  } finally {
    await system.cluster.access.restore()
    probe.close()
  }
  if (isOnly && countStarts(system) !== starts) system.blame('I7', 'a process ended when a right was taken away')
}

/** What may not read says so, and only that; a consumer that joins again to try may look well for a moment. */
async function expectUnwellFunctions(system: System, signal: AbortSignal): Promise<void> {
  const seen = new Map<string, { looks: number; running: number }>()
  for (let look = 0; look < LOOKS && !signal.aborted; look += 1) {
    for (const { name, url } of system.runners) {
      for (const { topic, state } of await readStates(url)) {
        const place = `${name} says of ${topic}`
        const counts = seen.get(place) ?? { looks: 0, running: 0 }
        seen.set(place, { looks: counts.looks + 1, running: counts.running + (state === 'running' ? 1 : 0) })
      }
    }
    await seconds(0.2, signal)
  }
  for (const [place, { looks, running }] of seen) {
    const isDenied = place.endsWith(` ${DENIED}`) || place.endsWith(` ${DENIED_GROUP}`)
    if (isDenied) system.note(`${place} in ${running} of ${looks} looks that it runs`)
    if (isDenied && running === looks) system.blame('I9', `${place} that it runs, and it may not read`)
    if (!isDenied && running < looks)
      system.blame('I9', `${place} in ${looks - running} of ${looks} looks that it waits`)
  }
  if (seen.size === 0) system.blame('I9', 'no runner says how it is')
}

async function readStates(url: string): Promise<readonly { topic: string; state: string }[]> {
  const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) }).catch(() => null)
  const body = (await answer?.json().catch(() => null)) as { functions?: { topic: string; state: string }[] } | null
  return body?.functions ?? []
}

function countStarts({ gateways, runners }: System): number {
  return [...gateways, ...runners].reduce((sum, { process }) => sum + process.starts(), 0)
}
