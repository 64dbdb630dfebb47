import { type Admin, AssignerProtocol, Kafka, logLevel } from 'kafkajs'

/** Of a topic, where nothing else is said: as the functions' topics have. */
export const PARTITIONS = 3

/** Makes a topic as the functions' topics are. */
export function createTopic(brokers: string, topic: string, partitions = PARTITIONS): Promise<void> {
  return withAdmin(brokers, async admin => {
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }]
    })
  })
}

/** Records that were ever written into a topic. */
export function countRecords(brokers: string, topic: string): Promise<number> {
  return withAdmin(brokers, async admin => {
    const partitions = await admin.fetchTopicOffsets(topic)
    return partitions.reduce((sum, { high }) => sum + Number(high), 0)
  })
}

/** Removes topics with all that is in them. */
export function deleteTopics(brokers: string, topics: readonly string[]): Promise<void> {
  return withAdmin(brokers, admin => admin.deleteTopics({ topics: [...topics] }))
}

/** How many partitions each member of a group owns; empty while it shares them out. */
export function readShares(brokers: string, groupId: string): Promise<number[]> {
  return withAdmin(brokers, async admin => {
    const { groups } = await admin.describeGroups([groupId])
    const [group] = groups
    if (group?.state !== 'Stable') return []
    return group.members.map(({ memberAssignment }) => {
      const { assignment = {} } = AssignerProtocol.MemberAssignment.decode(memberAssignment) ?? {}
      return Object.values(assignment).flat().length
    })
  })
}

async function withAdmin<T>(brokers: string, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ clientId: 'bench', brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}
