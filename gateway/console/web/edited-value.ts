import { fromBase64, toText as textOf, toBase64 } from './bytes.ts'

/** How an edited value is read: as JSON, as text that is sent as it is, or as bytes in base64. */
export type EditMode = 'json' | 'text' | 'base64'

interface StoredValue {
  readonly value: unknown
  readonly valueBase64: string | null
}

interface Editable {
  readonly mode: EditMode
  readonly text: string
  /** Lines that the editor shows. */
  readonly rows: number
}

const ROWS = { min: 6, max: 24 }

/** How a stored value is edited best, and what stands in the editor at first. */
export function toEditable(stored: StoredValue): Editable {
  const editable = toText(stored)
  const lines = editable.text.split('\n', ROWS.max).length
  return { ...editable, rows: Math.max(lines + 1, ROWS.min) }
}

function toText({ value, valueBase64 }: StoredValue): Omit<Editable, 'rows'> {
  const bytes = fromBase64(valueBase64 ?? '')
  const text = bytes && textOf(bytes)
  if (valueBase64 === null || text === null) return { mode: 'base64', text: valueBase64 ?? '' }
  if (findJsonFault(text) === null) return { mode: 'json', text: JSON.stringify(value, null, 2) }
  // What is no JSON is meant to become some.
  return { mode: 'json', text }
}

/** What is wrong with an edited text; null when it can be sent. */
export function findEditFault(mode: EditMode, text: string): string | null {
  if (mode === 'json') return findJsonFault(text)
  return mode === 'base64' && fromBase64(text.trim()) === null ? 'This is no base64.' : null
}

/** The body of a redrive with an edited value; it has no fault. */
export function toRedriveBody(mode: EditMode, text: string): { value: unknown } | { valueBase64: string } {
  if (mode === 'json') return { value: JSON.parse(text) }
  return { valueBase64: mode === 'text' ? toBase64(text) : text.trim() }
}

/** What `JSON.parse` says about a text; null when it is JSON. */
export function findJsonFault(text: string): string | null {
  try {
    JSON.parse(text)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : 'This is no JSON.'
  }
}
