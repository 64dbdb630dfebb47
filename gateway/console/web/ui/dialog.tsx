import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Button } from './button.tsx'
import { Icon } from './icon.tsx'

interface DialogProps {
  readonly title: string
  readonly description?: ComponentChildren
  readonly onClose: () => void
  /** At the end: what it is for, then the way out. */
  readonly actions?: ComponentChildren
  readonly wide?: boolean
  readonly children?: ComponentChildren
}

const FIRST = '.dialog__body :is(input:not([type="radio"]), input:checked, select, textarea), .dialog__foot button'

/** A question above the page, open as long as it is drawn. Keeps the focus; Escape closes it. */
export function Dialog({ title, description, onClose, actions, wide = false, children }: DialogProps) {
  const id = useId()
  const ref = useRef<HTMLDialogElement>(null)

  useEffect(() => {
    const dialog = ref.current
    const before = document.activeElement
    dialog?.showModal()
    // What is asked for first; else the first way out, so that Enter does nothing by mistake.
    dialog?.querySelector<HTMLElement>(FIRST)?.focus()
    return () => {
      dialog?.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])

  return (
    <dialog
      ref={ref}
      class={`dialog ${wide ? 'dialog--wide' : ''}`}
      aria-labelledby={id}
      onCancel={event => {
        event.preventDefault()
        onClose()
      }}
    >
      <header class="dialog__head">
        <div>
          <h2 id={id} class="dialog__title">
            {title}
          </h2>
          {description && <p class="muted">{description}</p>}
        </div>
        <Button tone="quiet" small label="Close" onClick={onClose}>
          <Icon name="close" />
        </Button>
      </header>
      {children && <div class="dialog__body">{children}</div>}
      {actions && <footer class="dialog__foot">{actions}</footer>}
    </dialog>
  )
}
