import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import { readBounds } from './final-state.ts'
import type { FaultDatabase } from './postgres.ts'
import type { System } from './system.ts'

/** Looks at a running system, and blames it for what must not be so at any moment. */
export interface Observer {
  /** What follows is a fault's own doing: positions and databases that it sets back. */
  forgive(): void
  /** The longest time for which a partition had work and did not move, in seconds. */
  stallSeconds(): number
  stop(): Promise<void>
}

const LOOK_MS = 250
// Kafka is asked more rarely: it has better things to do.
const COMMITS_EVERY = 4
const MOST_BLAMES = 5

/** Begins to look: no effect at or above its position, no position that goes back, no commit in Kafka above a position. */
export function startObserver(
  system: Pick<System, 'blame' | 'topicPrefix' | 'groupPrefix'>,
  { database, cluster }: { database: FaultDatabase; cluster: Cluster }
): Observer {
  const highest = new Map<string, bigint>()
  const ends = new Map<string, bigint>()
  const movedMs = new Map<string, number>()
  let longestStallMs = 0
  let isForgiven = false
  let isStopped = false
  let blames = 0
  const looking = run()

  return {
    forgive() {
      isForgiven = true
    },
    stallSeconds: () => longestStallMs / 1000,
    async stop() {
      isStopped = true
      await looking
    }
  }

  async function run() {
    for (let round = 0; !isStopped; round += 1) {
      // While a server is away there is nothing to be seen.
      const commits = round % COMMITS_EVERY === 0 ? await askKafka().catch(() => new Map()) : new Map()
      await look(commits).catch(() => undefined)
      await sleep(LOOK_MS)
    }
  }

  async function look(commits: ReadonlyMap<string, bigint>): Promise<void> {
    const rows = await readMoment(database)
    for (const { place, position } of rows) noteStall(place, position)
    if (isForgiven) return
    for (const { place, position, settled } of rows) {
      if (settled !== null && settled >= position) {
        blame(`${place}: offset ${settled} is settled, and the position is ${position}`)
      }
      const before = highest.get(place)
      if (before !== undefined && position < before)
        blame(`${place}: the position went back from ${before} to ${position}`)
      highest.set(place, position)
      // Read before the position was: it cannot have been overtaken meanwhile.
      const commit = commits.get(place)
      if (commit !== undefined && commit > position) {
        blame(`${place}: Kafka's commit is ${commit}, above the position ${position}`)
      }
    }
  }

  function blame(text: string) {
    blames += 1
    if (blames <= MOST_BLAMES) system.blame('I6', text)
  }

  function noteStall(place: string, position: bigint) {
    const now = Date.now()
    const hasWork = position < (ends.get(place) ?? 0n)
    if (!hasWork || position !== highest.get(place)) movedMs.set(place, now)
    longestStallMs = Math.max(longestStallMs, now - (movedMs.get(place) ?? now))
    if (isForgiven) highest.set(place, position)
  }

  async function askKafka(): Promise<Map<string, bigint>> {
    for (const { topic, partition, high } of await readBounds(cluster, system.topicPrefix)) {
      ends.set(`${topic}/${partition}`, high)
    }
    return readCommits()
  }

  async function readCommits(): Promise<Map<string, bigint>> {
    const { topicPrefix, groupPrefix } = system
    const commits = new Map<string, bigint>()
    for (const name of ['entries', 'ledger']) {
      const offsets = await cluster.withAdmin(admin =>
        admin.fetchOffsets({ groupId: `${groupPrefix}${name}`, topics: [`${topicPrefix}${name}`] })
      )
      for (const { partitions } of offsets) {
        for (const { partition, offset } of partitions) commits.set(`${name}/${partition}`, BigInt(offset))
      }
    }
    return commits
  }
}

interface Moment {
  readonly place: string
  readonly position: bigint
  /** The highest offset with an effect or a dead letter; null without one. */
  readonly settled: bigint | null
}

/** One statement, one snapshot. */
async function readMoment({ sql }: FaultDatabase): Promise<Moment[]> {
  const rows = await sql`
    SELECT status.topic || '/' || status.partition AS place, status.next_offset::text AS position,
      greatest(
        (SELECT max("offset") FROM messages AS m WHERE m.topic = status.topic AND m.partition = status.partition),
        (SELECT max("offset") FROM dead_letters AS d WHERE d.topic = status.topic AND d.partition = status.partition)
      )::text AS settled
    FROM topic_status AS status`
  return rows.map(({ place, position, settled }) => ({
    place,
    position: BigInt(position),
    settled: settled === null ? null : BigInt(settled)
  }))
}
