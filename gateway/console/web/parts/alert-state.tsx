import type { Alert } from '../shapes.ts'
import { Badge, type Tone } from '../ui/badge.tsx'

type Judged = Pick<Alert, 'state' | 'severity'>

/** Red is critical and fires, amber fires or is about to. */
export function toAlertTone({ state, severity }: Judged): Tone {
  if (state === 'ok') return 'ok'
  return state === 'firing' && severity === 'critical' ? 'bad' : 'warn'
}

export function AlertState({ of }: { readonly of: Judged }) {
  return (
    <Badge tone={toAlertTone(of)} dot>
      {of.state}
    </Badge>
  )
}
