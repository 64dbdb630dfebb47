import type { ComponentChildren } from 'preact'

export type Tone = 'neutral' | 'accent' | 'ok' | 'warn' | 'bad'

interface BadgeProps {
  readonly tone?: Tone
  /** With a dot before the text: for states. */
  readonly dot?: boolean
  readonly title?: string
  readonly children: ComponentChildren
}

/** A word or two that say a state or a kind. */
export function Badge({ tone = 'neutral', dot = false, title, children }: BadgeProps) {
  return (
    <span class={`badge badge--${tone}`} title={title}>
      {dot && <Dot tone={tone} />}
      {children}
    </span>
  )
}

/** A point in the colour of a state; the words beside it say the same. */
export function Dot({ tone }: { readonly tone: Tone }) {
  return <span class={`dot dot--${tone}`} aria-hidden="true" />
}
