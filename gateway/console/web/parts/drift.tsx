import type { FunctionShape, Topic } from '../shapes.ts'
import { Notice } from '../ui/notice.tsx'

/** What of a topic is not as its function, or safety, wants it; empty when all is well. */
function findDrift(topic: Topic, shape: FunctionShape | undefined): string[] {
  const { partitions } = topic
  const wanted = shape?.options.partitions
  const leaderless = partitions.filter(({ leader }) => leader === null).map(({ partition }) => partition)
  const lagging = partitions
    .filter(({ replicas, inSyncReplicas }) => inSyncReplicas.length < replicas.length)
    .map(({ partition }) => partition)
  const unread = partitions.filter(({ nextOffset }) => nextOffset === null).map(({ partition }) => partition)

  return [
    partitions.length === 0 && 'Kafka has no such topic.',
    wanted !== undefined &&
      partitions.length > 0 &&
      wanted !== partitions.length &&
      `It has ${partitions.length} partitions, its function says ${wanted}. A topic keeps the number that it was made with.`,
    leaderless.length > 0 &&
      `Without a leader: partition ${leaderless.join(', ')}. Nothing can be written or read there.`,
    lagging.length > 0 && `Fewer replicas are in sync than there are: partition ${lagging.join(', ')}.`,
    unread.length > 0 && unread.length < partitions.length && `Not read yet: partition ${unread.join(', ')}.`
  ].filter(line => line !== false)
}

export function isDrifting(topic: Topic, shape: FunctionShape | undefined): boolean {
  return findDrift(topic, shape).length > 0
}

/** Says what drifts, and nothing while all is well. */
export function DriftNotice({ topic, shape }: { readonly topic: Topic; readonly shape: FunctionShape | undefined }) {
  const lines = findDrift(topic, shape)
  if (lines.length === 0) return null
  return (
    <Notice tone="warn" title="The topic is not as it should be">
      <ul>
        {lines.map(line => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </Notice>
  )
}
