const POLYNOMIAL = 0x82f63b78
const SLICES = 8

/** `TABLES[n * 256 + byte]`: what a byte leaves behind after n more bytes. */
const TABLES = makeTables()

/**
 * Computes CRC-32C, the checksum of a record batch, eight bytes a step.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4
 */
export function crc32c(bytes: Uint8Array): number {
  const { length } = bytes
  const T = TABLES
  let crc = -1
  let at = 0

  for (const last = length - SLICES; at <= last; at += SLICES) {
    crc ^=
      byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24)
    crc =
      (T[1792 + (crc & 0xff)] as number) ^
      (T[1536 + ((crc >>> 8) & 0xff)] as number) ^
      (T[1280 + ((crc >>> 16) & 0xff)] as number) ^
      (T[1024 + (crc >>> 24)] as number) ^
      (T[768 + byteAt(bytes, at + 4)] as number) ^
      (T[512 + byteAt(bytes, at + 5)] as number) ^
      (T[256 + byteAt(bytes, at + 6)] as number) ^
      (T[byteAt(bytes, at + 7)] as number)
  }
  for (; at < length; at += 1) crc = (T[(crc ^ byteAt(bytes, at)) & 0xff] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}

function makeTables(): Int32Array {
  const tables = new Int32Array(SLICES * 256)
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    tables[byte] = crc
  }
  for (let at = 256; at < tables.length; at += 1) {
    const before = tables[at - 256] as number
    tables[at] = (tables[before & 0xff] as number) ^ (before >>> 8)
  }
  return tables
}
