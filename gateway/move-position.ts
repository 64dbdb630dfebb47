import type { Operation } from '../db/queries/audit.ts'
import type { GatewayQueries, GatewayWrites } from '../db/queries/gateway.ts'
import type { LogRange } from '../kafka/offsets.ts'
import type { ClusterView } from '../kafka/types.ts'
import { gatewayErrors, withExtras } from './errors.ts'
import { toInstant } from './instant.ts'
import { toInvalid } from './parse-batch.ts'
import { toKafkaProblem } from './produce.ts'
import { within } from './within.ts'

/** Where positions go: `earliest`, `latest`, a point in time, or offsets by partition. */
type Destination = string | Readonly<Record<string, string>>

interface MoveOptions {
  readonly groupId: string
  readonly topic: string
  readonly to: Destination
  /** Looks, and moves nothing. */
  readonly dryRun: boolean
  readonly operation: Operation
}

interface MoveDependencies {
  readonly cluster: Pick<ClusterView, 'topics' | 'offsets' | 'offsetsAt'>
  readonly queries: Pick<GatewayQueries, 'topicStatus' | 'positions'>
  readonly writes: Pick<GatewayWrites, 'positions'>
}

/** A partition with the position that it had, null for none, and the one that it gets. */
export interface PositionMove {
  readonly partition: number
  readonly from: string | null
  readonly to: string
  /** Offsets that lie between the two, as far as Kafka still holds them. */
  readonly records: number
  /** Those of them that are settled; null when counting them takes too long. */
  readonly settledAlready: number | null
}

const KAFKA_TIMEOUT_MS = 1_900
const RETRY_SECONDS = 1

/**
 * Moves the positions of a group in a topic, all that `to` names or none, or says what that would mean. What is settled
 * stays so: of records that are handled again, runners settle only those that are not.
 *
 * @throws SMG_GATEWAY_INVALID for a place that the log does not have; SMG_GATEWAY_POSITION_BUSY and
 * SMG_GATEWAY_OTHER_GROUP when nothing was moved; SMG_GATEWAY_KAFKA_AWAY, SMG_GATEWAY_DATABASE_AWAY
 */
export async function movePosition(
  { cluster, queries, writes }: MoveDependencies,
  { groupId, topic, to, dryRun, operation }: MoveOptions
): Promise<PositionMove[]> {
  const { topicId, ranges, targets } = await findTargets(cluster, topic, to)
  const statuses = await queries.topicStatus.all()
  const own = statuses.filter(status => status.topic === topic && status.groupId === groupId)
  const seen = new Map(own.map(({ partition, nextOffset }) => [partition, nextOffset]))
  const between = [...targets].map(([partition, next]) => toRange(partition, [seen.get(partition), next], ranges))
  const settled = await queries.positions.countSettled({ groupId, topic }, between).catch(() => null)

  const before = dryRun ? seen : await move()
  return [...targets].map(([partition, next]) => {
    const from = before.get(partition)
    const { low, high } = toRange(partition, [from, next], ranges)
    return {
      partition,
      from: from === undefined ? null : String(from),
      to: String(next),
      records: Number(BigInt(high) - BigInt(low)),
      settledAlready: settled && (settled.get(partition) ?? 0)
    }
  })

  async function move(): Promise<ReadonlyMap<number, bigint>> {
    const result = await writes.positions.move({ groupId, topic, topicId, to: targets, asked: to, operation })
    if (result.kind === 'foreign') throw new gatewayErrors.SMG_GATEWAY_OTHER_GROUP(topic, result.groupId, groupId)
    if (result.kind === 'moved') return result.before
    throw withExtras(new gatewayErrors.SMG_GATEWAY_POSITION_BUSY(topic), { retryAfterSeconds: RETRY_SECONDS })
  }
}

type Ranges = ReadonlyMap<number, LogRange>

/** What lies between two positions, within the log; without a position, from where a runner would begin. */
function toRange(partition: number, [from, to]: readonly [from: bigint | undefined, to: bigint], ranges: Ranges) {
  const { logStartOffset: start = 0n, logEndOffset: end = 0n } = ranges.get(partition) ?? {}
  const within = from === undefined || from < start ? start : from > end ? end : from
  const [low, high] = within < to ? [within, to] : [to, within]
  return { partition, low: String(low), high: String(high) }
}

async function findTargets(cluster: MoveDependencies['cluster'], topic: string, to: Destination) {
  const instant = typeof to === 'string' && !isEnd(to) ? toInstant(to) : null
  if (typeof to === 'string' && !isEnd(to) && instant === null)
    throw toInvalid([
      { path: '/to', message: 'is neither earliest, latest nor a point in time in ISO 8601 with an offset' }
    ])

  const asked = Promise.all([
    cluster.topics([topic]),
    cluster.offsets(topic),
    // Below 0 are Kafka's words for the ends of a log.
    instant === null ? null : cluster.offsetsAt(topic, Math.max(0, Date.parse(instant)))
  ])
  const late = () => new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY()
  const [views, ranges, atInstant] = await within(asked, KAFKA_TIMEOUT_MS, late).catch(error => {
    throw toKafkaProblem(error, topic)
  })
  const view = views.get(topic)
  // Nobody has made it yet.
  if (!view) throw withExtras(late(), { retryAfterSeconds: RETRY_SECONDS })

  const partitions = view.partitions.map(({ partition }) => partition).sort((a, b) => a - b)
  const chosen = typeof to === 'string' ? partitions : toPartitions(to, partitions)
  const targets = new Map<number, bigint>()
  for (const partition of chosen) {
    const range = ranges.get(partition)
    // Its leader is away: all or none.
    if (!range) throw withExtras(late(), { retryAfterSeconds: RETRY_SECONDS })
    targets.set(partition, toTarget(partition, range))
  }
  return { topicId: view.topicId, ranges, targets }

  function toTarget(partition: number, { logStartOffset, logEndOffset }: LogRange): bigint {
    if (to === 'earliest') return logStartOffset
    if (typeof to === 'string') return atInstant?.get(partition) ?? logEndOffset
    const offset = BigInt(to[partition] ?? '')
    if (offset >= logStartOffset && offset <= logEndOffset) return offset
    const message = `is outside of the log, which has ${logStartOffset} to ${logEndOffset}`
    throw toInvalid([{ path: `/to/${partition}`, message }])
  }
}

function isEnd(to: string): boolean {
  return to === 'earliest' || to === 'latest'
}

function toPartitions(to: Readonly<Record<string, string>>, partitions: readonly number[]): number[] {
  const names = Object.keys(to)
  const unknown = names.find(name => !partitions.includes(Number(name)))
  if (unknown === undefined) return names.map(Number).sort((a, b) => a - b)
  throw toInvalid([{ path: `/to/${unknown}`, message: `is no partition of the topic, which has ${partitions.length}` }])
}
