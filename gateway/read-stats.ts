import { statfs } from 'node:fs/promises'
import type { PartitionStatus } from '../db/queries/topic-status.ts'
import type { LogDirsView } from '../kafka/types.ts'
import type { MinuteStats } from './minute-stats.ts'
import type { TopicReading } from './topic-reader.ts'
import type { App } from './types.ts'

/**
 * Reads all that `/api/stats` gives.
 * Rejects with SMG_GATEWAY_KAFKA_AWAY or SMG_GATEWAY_DATABASE_AWAY.
 */
export async function readStats(app: App) {
  const { queries, sampler, minutes } = app
  const [topics, statuses, database] = await Promise.all([
    app.readTopics(),
    queries.topicStatus.all(),
    queries.stats.database()
  ])
  const storageUsage = await readStorageUsage(app, database.sizeBytes)
  const latency = minutes.queries.read()

  return {
    kafka: toKafka(topics, { messageRate: sampler.rateOf(), logDirs: sampler.snapshot().logDirs }),
    database: {
      connectionCount: database.connectionCount,
      queryLatency: latency.meanMs ?? 0,
      queryLatencyP99: latency.p99Ms ?? 0,
      storageUsage,
      storageUsageBytes: database.sizeBytes
    },
    api: toApi(minutes.requests.read()),
    totals: toTotals(statuses)
  }
}

function toKafka(
  topics: readonly TopicReading[],
  { messageRate, logDirs }: { messageRate: number; logDirs: LogDirsView | null }
) {
  const usedBytes = logDirs && logDirs.totalBytes > 0n ? Number(logDirs.totalBytes - logDirs.usableBytes) : null
  return {
    messageRate,
    consumerLag: sum(topics, ({ lag }) => lag),
    diskUsage: usedBytes === null ? null : toRatio(usedBytes, Number(logDirs?.totalBytes)),
    diskUsageBytes: usedBytes,
    partitionCount: sum(topics, ({ partitions }) => partitions.length)
  }
}

function toApi({ rate, meanMs, p99Ms, errorRatio }: MinuteStats) {
  return { requestRate: rate, responseTime: meanMs ?? 0, responseTimeP99: p99Ms ?? 0, errorRate: errorRatio }
}

/** From the counters of the positions: a large table is never counted. */
function toTotals(statuses: readonly PartitionStatus[]) {
  const rowsOf = (topic: string) => sum(statuses, status => (status.topic === topic ? status.rowCount : 0))
  return {
    messages: sum(statuses, ({ messageCount }) => messageCount),
    userActivities: rowsOf('user-activities'),
    systemMetrics: rowsOf('system-metrics'),
    errorLogs: rowsOf('error-logs'),
    notifications: rowsOf('notifications'),
    deadLetters: sum(statuses, ({ deadLetterCount }) => deadLetterCount)
  }
}

async function readStorageUsage({ settings, queries }: App, sizeBytes: number): Promise<number | null> {
  if (settings.databaseCapacityBytes !== null) return toRatio(sizeBytes, settings.databaseCapacityBytes)
  if (!settings.databaseIsLocal) return null

  const directory = await queries.stats.dataDirectory()
  // Another user's folder may be closed to us, or be inside a container: then nothing is known.
  const disk = directory === null ? null : await statfs(directory).catch(() => null)
  return disk && disk.blocks > 0 ? toRatio(disk.blocks - disk.bfree, disk.blocks) : null
}

function toRatio(part: number, whole: number): number {
  return Math.min(1, Math.max(0, part / whole))
}

function sum<T>(items: readonly T[], measure: (item: T) => number): number {
  return items.reduce((total, item) => total + measure(item), 0)
}
