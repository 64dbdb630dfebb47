import type { ComponentChildren } from 'preact'
import { Dot, type Tone } from './badge.tsx'
import { Definitions } from './definitions.tsx'

export interface Step {
  readonly title: string
  readonly at?: ComponentChildren
  readonly tone?: Tone
  readonly details?: readonly (readonly [name: string, value: ComponentChildren])[]
}

/** What happened one after the other. */
export function Steps({ steps }: { readonly steps: readonly Step[] }) {
  return (
    <ol class="steps">
      {steps.map(({ title, at, tone = 'neutral', details = [] }) => (
        <li key={title} class="steps__step">
          <span class="steps__mark">
            <Dot tone={tone} />
          </span>
          <div class="steps__head">
            <strong>{title}</strong>
            {at && <span class="small muted">{at}</span>}
          </div>
          {details.length > 0 && <Definitions items={details} />}
        </li>
      ))}
    </ol>
  )
}
