import type { ComponentChildren } from 'preact'
import type { ApiError } from '../api.ts'
import { reopenSignIn } from '../session.ts'
import type { Tone } from './badge.tsx'
import { Button } from './button.tsx'
import { Icon } from './icon.tsx'

interface NoticeProps {
  readonly tone?: Tone
  readonly title?: ComponentChildren
  readonly actions?: ComponentChildren
  readonly children?: ComponentChildren
}

/** Something to know; `bad` is read out at once. */
export function Notice({ tone = 'neutral', title, actions, children }: NoticeProps) {
  return (
    <div class={`notice notice--${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      <Icon name={tone === 'ok' ? 'check' : tone === 'neutral' || tone === 'accent' ? 'info' : 'warning'} />
      <div class="notice__text">
        {title && <strong>{title}</strong>}
        {children && <div class="muted">{children}</div>}
      </div>
      {actions && <div class="row">{actions}</div>}
    </div>
  )
}

interface EmptyProps {
  readonly title: string
  readonly children?: ComponentChildren
  readonly actions?: ComponentChildren
}

/** What stands where a list has nothing. */
export function Empty({ title, children, actions }: EmptyProps) {
  return (
    <div class="empty">
      <p class="empty__title">{title}</p>
      {children && <p class="muted">{children}</p>}
      {actions && <div class="row">{actions}</div>}
    </div>
  )
}

interface FailureProps {
  readonly error: Error
  /** What could not be shown: "the topics". */
  readonly what: string
  readonly onRetry?: () => void
}

/** What stands where something could not be loaded, in place of a spinner for ever. */
export function Failure({ error, what, onRetry }: FailureProps) {
  const status = (error as Partial<ApiError>).status
  if (status === 404) {
    return <Empty title="Not available">This gateway has no {what}: it may be an older version, or it is gone.</Empty>
  }
  if (status === 401) {
    const signIn = (
      <Button small tone="primary" onClick={reopenSignIn}>
        Sign in
      </Button>
    )
    return <Empty title={`Sign in to see ${what}`} actions={signIn} />
  }
  const title = status === 403 ? `Your token may not read ${what}` : `Cannot load ${what}`
  return (
    <div class="empty empty--bad" role="alert">
      <p class="empty__title">{title}</p>
      <p class="muted wrap">{error.message}</p>
      {onRetry && (
        <div class="row">
          <Button small onClick={onRetry}>
            Try again
          </Button>
        </div>
      )}
    </div>
  )
}

/** Grey lines in the place of what is still under way. */
export function Skeleton({ lines = 3 }: { readonly lines?: number }) {
  return (
    <div class="skeleton" role="status">
      <span class="hidden-text">Loading</span>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} class="skeleton__line" />
      ))}
    </div>
  )
}
