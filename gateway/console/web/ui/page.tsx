import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { Link } from '../router.ts'

interface PageProps {
  readonly title: string
  /** Beside the title: a badge. */
  readonly badge?: ComponentChildren
  readonly description?: ComponentChildren
  readonly actions?: ComponentChildren
  /** The page above this one. */
  readonly back?: { readonly to: string; readonly label: string }
  readonly children?: ComponentChildren
}

/** The frame of a page: its heading, what can be done here, and its parts below one another. */
export function Page({ title, badge, description, actions, back, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · SMG Kafka`
  }, [title])

  return (
    <div class="page">
      <header class="page__head">
        <div class="page__title">
          {back && (
            <Link to={back.to} class="page__back">
              <span aria-hidden="true">←</span> {back.label}
            </Link>
          )}
          <div class="row">
            <h1 class="wrap">{title}</h1>
            {badge}
          </div>
          {description && <p class="muted">{description}</p>}
        </div>
        {actions && <div class="row">{actions}</div>}
      </header>
      {children}
    </div>
  )
}
