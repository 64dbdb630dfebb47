import { loadKafkaJs } from './kafkajs.ts'
import type { Broker } from './kafkajs-internals.ts'
import type { Link } from './link.ts'
import type { GroupView } from './types.ts'

/** A group as its coordinator describes it. */
export type GroupDescription = Awaited<ReturnType<Broker['describeGroups']>>['groups'][number]

const GROUP = 0
const NO_OFFSET = -1n

/** Asks the coordinator of a group. */
async function askCoordinator<T>(
  link: Pick<Link, 'any' | 'node'>,
  groupId: string,
  ask: (broker: Broker) => Promise<T>
): Promise<T> {
  const { coordinator } = await link.any(broker => broker.findGroupCoordinator({ groupId, coordinatorType: GROUP }))
  return link.node(coordinator.nodeId, ask)
}

/** Describes a group; one that does not exist is described as Dead. */
export async function describeGroup(
  link: Pick<Link, 'any' | 'node'>,
  groupId: string
): Promise<GroupDescription | undefined> {
  const { groups } = await askCoordinator(link, groupId, broker => broker.describeGroups({ groupIds: [groupId] }))
  return groups[0]
}

/** What a group committed of a topic, by partition; a partition without a commit is missing. */
export async function fetchCommitted(
  link: Pick<Link, 'any' | 'node'>,
  { groupId, topic, partitions }: { groupId: string; topic: string; partitions: readonly number[] }
): Promise<Map<number, bigint>> {
  const topics = [{ topic, partitions: partitions.map(partition => ({ partition })) }]
  const { responses } = await askCoordinator(link, groupId, broker => broker.offsetFetch({ groupId, topics }))
  const found = responses.flatMap(response => response.partitions)

  return new Map(
    found
      .map(({ partition, offset }) => [partition, BigInt(offset)] as const)
      .filter(([, offset]) => offset !== NO_OFFSET)
  )
}

/** The view of a group with its members' partitions of one topic (by its name in Kafka), in order. */
export function toGroupView({ state, members }: GroupDescription, topic: string): GroupView {
  return {
    state,
    members: members.map(({ memberId, clientId, clientHost, memberAssignment }) => ({
      memberId,
      clientId,
      // Java writes an address as `name/127.0.0.1`, with an empty name.
      host: clientHost.replace(/^\//, ''),
      partitions: findPartitions(memberAssignment, topic)
    }))
  }
}

function findPartitions(memberAssignment: Buffer, topic: string): readonly number[] {
  // Empty while the group rebalances.
  if (memberAssignment.length === 0) return []
  const decoded = loadKafkaJs().AssignerProtocol.MemberAssignment.decode(memberAssignment)
  return (decoded?.assignment[topic] ?? []).toSorted((a, b) => a - b)
}
