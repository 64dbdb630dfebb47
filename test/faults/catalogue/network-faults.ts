import type { Party } from '../access.ts'
import type { Conditions, FaultProxy } from '../proxy.ts'
import type { System } from '../system.ts'
import { type Fault, seconds } from './fault.ts'

type Link = 'gateway-broker' | 'runner-broker' | 'runner-database' | 'gateway-database'

/** Links of one kind, all of them. */
function proxiesOf(system: System, link: Link): FaultProxy[] {
  if (link === 'runner-database') return system.runners.map(({ database }) => database)
  if (link === 'gateway-database') return system.gateways.map(({ database }) => database)
  const party: Party = link === 'gateway-broker' ? 'gateway' : 'runner'
  return system.cluster.brokers.map(({ proxies }) => proxies[party])
}

function condition(
  row: number,
  link: Link,
  what: string,
  conditions: Partial<Conditions>,
  lasting: { short: number; full: number }
): Fault {
  return {
    row,
    name: `${link}-${what}`,
    title: `${link}: ${what}`,
    async inject({ system, random, signal }) {
      const all = proxiesOf(system, link)
      // Of several runners one may be cut off while the others work.
      const chosen = random.chance(0.5) ? all : [random.pick(all)]
      await Promise.all(chosen.map(proxy => proxy.set(conditions)))
      await seconds(system.isFull ? lasting.full : lasting.short, signal)
      await Promise.all(chosen.map(proxy => proxy.heal()))
    }
  }
}

function sudden(row: number, link: Link, what: string, act: (proxy: FaultProxy) => void): Fault {
  return {
    row,
    name: `${link}-${what}`,
    title: `${link}: ${what} of every connection, again and again`,
    async inject({ system, random, signal }) {
      for (let round = 0; round < (system.isFull ? 50 : 4) && !signal.aborted; round += 1) {
        for (const proxy of proxiesOf(system, link)) act(proxy)
        await seconds(0.2 + random.next(), signal)
      }
    }
  }
}

const SHORT = { short: 3, full: 60 }
const PAST_SESSION = { short: 8, full: 60 }

/** Rows 7 and 8: slow, broken and one-way links. */
export const networkFaults: readonly Fault[] = [
  condition(7, 'runner-database', 'slow-50ms', { delayMs: 50, jitterMs: 10 }, SHORT),
  condition(7, 'runner-database', 'slow-500ms', { delayMs: 500, jitterMs: 100 }, SHORT),
  condition(7, 'runner-database', 'narrow', { bytesPerSecond: 64 * 1024 }, SHORT),
  condition(7, 'runner-database', 'crumbs', { chunkBytes: 7 }, SHORT),
  condition(7, 'runner-database', 'black-hole', { stalled: 'both', accept: 'silence' }, PAST_SESSION),
  condition(7, 'runner-database', 'refused', { accept: 'refuse', stalled: 'both' }, SHORT),
  condition(7, 'gateway-database', 'black-hole', { stalled: 'both', accept: 'silence' }, SHORT),
  sudden(7, 'runner-database', 'reset', proxy => proxy.reset()),
  sudden(7, 'runner-database', 'half-closed', proxy => proxy.halfClose('to-client')),
  sudden(7, 'runner-database', 'half-closed-away', proxy => proxy.halfClose('to-server')),
  sudden(7, 'gateway-database', 'reset', proxy => proxy.reset()),
  condition(8, 'runner-database', 'cut', { stalled: 'both' }, PAST_SESSION),
  // The server's answers, such as the one to COMMIT, do not come back.
  condition(8, 'runner-database', 'cut-back', { stalled: 'to-client' }, SHORT),
  condition(8, 'runner-database', 'cut-there', { stalled: 'to-server' }, SHORT),
  condition(8, 'gateway-broker', 'cut', { stalled: 'both' }, SHORT),
  condition(8, 'gateway-broker', 'cut-back', { stalled: 'to-client' }, SHORT),
  condition(8, 'gateway-broker', 'cut-there', { stalled: 'to-server' }, SHORT),
  condition(8, 'gateway-broker', 'slow', { delayMs: 100, jitterMs: 100 }, SHORT),
  condition(8, 'gateway-broker', 'crumbs', { chunkBytes: 11 }, SHORT),
  condition(8, 'runner-broker', 'cut', { stalled: 'both' }, PAST_SESSION),
  condition(8, 'runner-broker', 'cut-back', { stalled: 'to-client' }, PAST_SESSION),
  condition(8, 'runner-broker', 'cut-there', { stalled: 'to-server' }, PAST_SESSION),
  condition(8, 'runner-broker', 'narrow', { bytesPerSecond: 256 * 1024 }, SHORT),
  sudden(8, 'gateway-broker', 'reset', proxy => proxy.reset()),
  sudden(8, 'gateway-broker', 'half-closed', proxy => proxy.halfClose('to-client')),
  sudden(8, 'runner-broker', 'reset', proxy => proxy.reset()),
  sudden(8, 'runner-broker', 'half-closed', proxy => proxy.halfClose('to-client'))
]
