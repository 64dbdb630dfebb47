import { toShares } from '../log-shares.ts'
import type { TopicPartition } from '../shapes.ts'

/** How much of what Kafka holds of a partition is settled: filled up to the position. */
export function LogBar({ of }: { readonly of: TopicPartition }) {
  const { settled } = toShares(of)
  const percent = Math.round(settled * 1000) / 10
  return (
    <div class="log-bar" title={`${percent} % of what Kafka holds is settled`}>
      <div class="log-bar__settled" style={{ width: `${percent}%` }} />
      <span class="hidden-text">{percent} % of what Kafka holds is settled</span>
    </div>
  )
}
