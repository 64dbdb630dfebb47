import { toPercent } from '../format.ts'

interface MeterProps {
  readonly label: string
  /** 0 to 1; null or undefined when it is not known. */
  readonly ratio: number | null | undefined
  readonly note?: string
}

const WARN = 0.8
const BAD = 0.9

/** How full something is. */
export function Meter({ label, ratio, note }: MeterProps) {
  const tone = (ratio ?? 0) >= BAD ? 'meter__fill--bad' : (ratio ?? 0) >= WARN ? 'meter__fill--warn' : ''
  return (
    <div class="stack stack--tight">
      <div class="row row--between small">
        <span class="muted">{label}</span>
        <span class="num">
          {note}
          {ratio !== null && ratio !== undefined && `${note ? ' · ' : ''}${toPercent(ratio)}`}
        </span>
      </div>
      {ratio !== null && ratio !== undefined && (
        <div class="meter" aria-hidden="true">
          <div class={`meter__fill ${tone}`} style={{ width: `${Math.min(100, Math.max(0, ratio * 100))}%` }} />
        </div>
      )}
    </div>
  )
}
