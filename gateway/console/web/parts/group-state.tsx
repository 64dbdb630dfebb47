import type { Topic } from '../shapes.ts'
import { Badge, type Tone } from '../ui/badge.tsx'

const TONES: Readonly<Record<string, Tone>> = {
  Stable: 'ok',
  PreparingRebalance: 'warn',
  CompletingRebalance: 'warn',
  Empty: 'warn',
  Dead: 'neutral'
}
const WORDS: Readonly<Record<string, string>> = {
  PreparingRebalance: 'rebalancing',
  CompletingRebalance: 'rebalancing',
  Empty: 'no members',
  Dead: 'none'
}

/** What Kafka says of a topic's group. */
export function GroupState({ of: { state, group, members } }: { readonly of: Topic }) {
  const count = members.length
  const words = WORDS[state] ?? `${count} ${count === 1 ? 'member' : 'members'}`
  return (
    <Badge tone={TONES[state] ?? 'neutral'} title={`${group}: ${state}`}>
      {words}
    </Badge>
  )
}
