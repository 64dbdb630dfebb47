const ROW_BYTES = 16

/** Bytes of base64; null when it is none. */
export function fromBase64(base64: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(base64), character => character.charCodeAt(0))
  } catch {
    return null // another alphabet, or cut
  }
}

/** Base64 of a text in UTF-8. */
export function toBase64(text: string): string {
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}

/** The text that bytes are in UTF-8; null when they are none. A byte order mark stays. */
export function toText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null // not UTF-8
  }
}

/** One line of a hex dump. */
export interface HexRow {
  /** Of its first byte, in hexadecimal. */
  readonly offset: string
  readonly hex: string
  /** Printable ASCII; a dot stands for everything else. */
  readonly ascii: string
}

/** The first lines of bytes as hex and ASCII, 16 bytes each. */
export function toHexRows(bytes: Uint8Array, maxRows: number): HexRow[] {
  const count = Math.min(Math.ceil(bytes.length / ROW_BYTES), maxRows)
  return Array.from({ length: count }, (_, row) => {
    const part = [...bytes.subarray(row * ROW_BYTES, (row + 1) * ROW_BYTES)]
    return {
      offset: (row * ROW_BYTES).toString(16).padStart(6, '0'),
      hex: part.map(byte => byte.toString(16).padStart(2, '0')).join(' '),
      ascii: part.map(byte => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    }
  })
}
