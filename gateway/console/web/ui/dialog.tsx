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

/** A question above the page, open as long as it is drawn. Keeps the focus; Escape closes it. */
export function Dialog({ title, description, onClose, actions, wide = false, children }: DialogProps) {
  const id = useId()
  const ref = useRef<HTMLDialogElement>(null)

  useEffect(() => {
    const dialog = ref.current
    const before = document.activeElement
    dialog?.showModal()
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
      <div class="dialog__body">{children}</div>
      {actions && <footer class="dialog__foot">{actions}</footer>}
    </dialog>
  )
}
