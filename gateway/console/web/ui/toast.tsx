import { useEffect, useState } from 'preact/hooks'
import type { Tone } from './badge.tsx'
import { Button } from './button.tsx'
import { Icon } from './icon.tsx'

interface Note {
  readonly id: number
  readonly tone: Tone
  readonly text: string
}

const SHOWN_MS = 6_000
const MAX_NOTES = 4
let notes: readonly Note[] = []
let lastId = 0
let redraw: (() => void) | null = null

/** Says in passing what was done; what went wrong stays until somebody closes it. */
export function toast(text: string, tone: Tone = 'ok'): void {
  lastId += 1
  const id = lastId
  notes = [...notes, { id, tone, text }].slice(-MAX_NOTES)
  if (tone !== 'bad') setTimeout(() => dismiss(id), SHOWN_MS)
  redraw?.()
}

function dismiss(id: number) {
  notes = notes.filter(note => note.id !== id)
  redraw?.()
}

/** Where toasts appear; once, in the shell. */
export function Toasts() {
  const [, refresh] = useState(0)
  useEffect(() => {
    redraw = () => refresh(count => count + 1)
    return () => {
      redraw = null
    }
  }, [])

  return (
    <div class="toasts" role="status" aria-live="polite">
      {notes.map(({ id, tone, text }) => (
        <div key={id} class={`toast toast--${tone}`}>
          <Icon name={tone === 'ok' ? 'check' : 'info'} />
          <span class="wrap">{text}</span>
          <Button tone="quiet" small label="Dismiss" onClick={() => dismiss(id)}>
            <Icon name="close" />
          </Button>
        </div>
      ))}
    </div>
  )
}
