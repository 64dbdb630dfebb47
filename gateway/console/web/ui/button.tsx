import type { ComponentChildren } from 'preact'

interface ButtonProps {
  readonly tone?: 'default' | 'primary' | 'danger' | 'quiet'
  readonly type?: 'button' | 'submit'
  readonly small?: boolean
  /** While what it does is under way: it cannot be pressed again. */
  readonly busy?: boolean
  readonly disabled?: boolean
  readonly title?: string
  /** For a button without words of its own. */
  readonly label?: string
  readonly pressed?: boolean
  readonly expanded?: boolean
  readonly onClick?: (event: MouseEvent) => void
  readonly children?: ComponentChildren
}

export function Button(props: ButtonProps) {
  const { tone = 'default', type = 'button', small = false, busy = false, disabled = false, children } = props
  return (
    <button
      type={type}
      class={`button button--${tone} ${small ? 'button--small' : ''}`}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      aria-label={props.label}
      aria-pressed={props.pressed}
      aria-expanded={props.expanded}
      title={props.title}
      onClick={props.onClick}
    >
      {busy && <span class="spinner" aria-hidden="true" />}
      {children}
    </button>
  )
}

interface LinkButtonProps {
  readonly to: string
  readonly tone?: 'default' | 'primary' | 'quiet'
  readonly small?: boolean
  /** Saves the answer as a file in place of going there. */
  readonly download?: boolean
  readonly children: ComponentChildren
}

/** A link that looks like a button: it goes somewhere, and changes nothing. */
export function LinkButton({ to, tone = 'default', small = false, download = false, children }: LinkButtonProps) {
  return (
    <a class={`button button--${tone} ${small ? 'button--small' : ''}`} href={to} download={download || undefined}>
      {children}
    </a>
  )
}
