import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

interface PanelProps {
  readonly title?: ComponentChildren
  readonly description?: ComponentChildren
  /** At the right of the title: buttons, a legend, a filter. */
  readonly actions?: ComponentChildren
  /** Without room around the content: for tables and charts. */
  readonly flush?: boolean
  readonly class?: string
  readonly children?: ComponentChildren
}

/** A framed part of a page; a region of its own when it has a title. */
export function Panel({ title, description, actions, flush = false, class: name = '', children }: PanelProps) {
  const id = useId()
  return (
    <section class={`panel ${flush ? 'panel--flush' : ''} ${name}`} aria-labelledby={title ? id : undefined}>
      {(title || actions) && (
        <header class="panel__head">
          <div class="panel__title">
            {title && <h2 id={id}>{title}</h2>}
            {description && <p class="small faint">{description}</p>}
          </div>
          {actions && <div class="row">{actions}</div>}
        </header>
      )}
      <div class="panel__body">{children}</div>
    </section>
  )
}
