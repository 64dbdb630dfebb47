import { Button } from './button.tsx'
import { Icon } from './icon.tsx'
import { toast } from './toast.tsx'

interface CopyButtonProps {
  /** Called when it is pressed: what is large is not made before. */
  readonly text: () => string
  /** What is copied: "the value". */
  readonly what: string
  /** With words beside the icon. */
  readonly children?: string
}

/** Puts a text on the clipboard. */
export function CopyButton({ text, what, children }: CopyButtonProps) {
  const copy = async () => {
    try {
      // Browsers have no clipboard for pages that come over the network without TLS.
      await navigator.clipboard.writeText(text())
      toast(`Copied ${what}`)
    } catch {
      toast('This browser does not let the page write to the clipboard', 'bad')
    }
  }
  return (
    <Button small tone="quiet" label={children ? undefined : `Copy ${what}`} title={`Copy ${what}`} onClick={copy}>
      <Icon name="copy" />
      {children}
    </Button>
  )
}
