const SHORT = 160

// Characters that turn the direction of what follows: as escapes they are seen, and do nothing.
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
// Letters that run from right to left: each such text is isolated from its neighbours.
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/

function toEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** One line of JSON for a value of any size: at most `maxLength` characters are written, and an ellipsis where more would come. */
export function previewOf(value: unknown, maxLength = SHORT): string {
  const parts: string[] = []
  let length = 0
  const isWhole = write(value)
  const text = parts.join('')
  // Made anew, character by character: a slice of a string keeps all of it in memory, and rows outlive their values.
  const cut = Array.from(text.slice(0, maxLength)).join('').toWellFormed()
  return isWhole && text.length <= maxLength ? cut : `${cut}…`

  /** False when there was no room for all of it. */
  function write(part: unknown): boolean {
    if (typeof part === 'string') return writeText(part)
    if (typeof part !== 'object' || part === null) return add(String(JSON.stringify(part) ?? part))
    return Array.isArray(part) ? writeList(part) : writeObject(part as Record<string, unknown>)
  }

  function writeText(part: string): boolean {
    const isShort = part.length <= maxLength
    const text = JSON.stringify(isShort ? part : part.slice(0, maxLength)).replace(DIRECTIONS, toEscape)
    return add(RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text) && isShort
  }

  function writeList(list: readonly unknown[]): boolean {
    add('[')
    for (const [index, item] of list.entries()) if ((index > 0 && !add(', ')) || !write(item)) return false
    return add(']')
  }

  function writeObject(object: Record<string, unknown>): boolean {
    add('{')
    let isFirst = true
    for (const name in object) {
      if (!isFirst && !add(', ')) return false
      isFirst = false
      if (!writeText(name) || !add(': ') || !write(object[name])) return false
    }
    return add('}')
  }

  function add(text: string): boolean {
    parts.push(text)
    length += text.length
    return length <= maxLength
  }
}
