import type { Polled } from '../api.ts'
import { Badge } from './badge.tsx'
import { Time } from './values.tsx'

/** Marks what is shown as older than it should be, since when, and why; nothing while it is fresh. */
export function Stale({ of: { staleSince, error } }: { readonly of: Pick<Polled<unknown>, 'staleSince' | 'error'> }) {
  if (staleSince === null) return null
  return (
    <Badge tone="warn" dot title={error?.message ?? ''}>
      Last known <Time value={staleSince} />
    </Badge>
  )
}
