import { useId, useState } from 'preact/hooks'
import { toDuration, toUnit } from '../format.ts'
import type { Alert } from '../shapes.ts'
import { Badge, type Tone } from '../ui/badge.tsx'
import { Icon } from '../ui/icon.tsx'
import { Time } from '../ui/values.tsx'
import { AlertState, toAlertTone } from './alert-state.tsx'

interface AlertRuleProps {
  readonly alert: Alert
  readonly isOpenAtFirst: boolean
}

/** A rule in one line, and unfolded: what it means, what to do, and whom it concerns. */
export function AlertRule({ alert, isOpenAtFirst }: AlertRuleProps) {
  const [isOpen, setIsOpen] = useState(isOpenAtFirst || alert.state === 'firing')
  const id = useId()
  const { name, state, severity, summary, value, threshold, unit, since } = alert
  const tone: Tone = toAlertTone(alert)

  return (
    <li class={`rule rule--${tone}`}>
      <button
        type="button"
        class="rule__head"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setIsOpen(!isOpen)}
      >
        <span class="rule__arrow">
          <Icon name="chevron" />
        </span>
        <span class="rule__name">
          <strong>{name}</strong>
          <span class={`small ${state === 'ok' ? 'faint' : 'muted'}`}>{summary}</span>
        </span>
        <span class="rule__value num">
          {value === null ? <span class="faint">no value</span> : toUnit(value, unit)}
          <span class="small faint">fires above {toUnit(threshold, unit)}</span>
        </span>
        <span class="rule__since small muted">
          {since && state !== 'ok' && (
            <>
              since <Time value={since} />
            </>
          )}
        </span>
        <span class="rule__state">
          {severity === 'critical' && <Badge>critical</Badge>}
          <AlertState of={alert} />
        </span>
      </button>
      {isOpen && (
        <div id={id} class="rule__body">
          <p>{alert.description}</p>
          <p>
            <strong>What to do. </strong>
            {alert.action}
          </p>
          <p class="small muted">
            {severity === 'critical' ? 'Critical' : 'Warning'} when it holds for {toDuration(alert.forSeconds)}.
          </p>
          {alert.subjects.length > 0 && <Subjects of={alert} />}
        </div>
      )}
    </li>
  )
}

function Subjects({ of: { subjects, unit, severity } }: { readonly of: Alert }) {
  return (
    <ul class="subjects">
      {subjects.map(({ subject, state, value, since }) => (
        <li key={subject ?? ''} class="subjects__item">
          <span class="wrap mono">{subject ?? 'the system'}</span>
          <span class="num">{value === null ? '' : toUnit(value, unit)}</span>
          <span class="small muted">{since && state !== 'ok' && <Time value={since} />}</span>
          <AlertState of={{ state, severity }} />
        </li>
      ))}
    </ul>
  )
}
