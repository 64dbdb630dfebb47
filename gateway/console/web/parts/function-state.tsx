import type { FunctionShape } from '../shapes.ts'
import { Badge, type Tone } from '../ui/badge.tsx'

const TONES: Readonly<Record<FunctionShape['state'], Tone>> = { running: 'ok', paused: 'warn', stopped: 'bad' }

/** How a function is, in its colour. */
export function FunctionState({ of: { state, reason } }: { readonly of: Pick<FunctionShape, 'state' | 'reason'> }) {
  return (
    <Badge tone={TONES[state]} dot title={reason ?? undefined}>
      {state}
    </Badge>
  )
}
