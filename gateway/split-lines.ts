/** The bytes of a line without its end; null for one that is longer than allowed. */
export type Line = Buffer | null

const LF = 0x0a
const CR = 0x0d
const BOM = Buffer.from('\ufeff')
const FIRST_TAIL_BYTES = 1024
/** A line that is this much smaller than what it is a view of is copied. */
const COPY_RATIO = 4

/**
 * Builds the splitting of a body into lines, which end with LF or CR LF. Lines without anything but white space are left out,
 * and so is a byte order mark before the first. A line is a view of its chunk, or a copy where it came in several or is much smaller:
 * who keeps it would keep the whole chunk.
 */
export function createLineSplitter(maxBytes: number) {
  // What has come of a line whose end has not; it grows by doubling, however small the pieces are.
  let tail = Buffer.alloc(0)
  let tailBytes = 0
  let isFirst = true
  let emptyCount = 0

  return {
    /** How many lines without anything but white space were left out. */
    emptyCount: () => emptyCount,

    /** Gives the lines that end in this chunk, in their order. */
    push(chunk: Buffer): Line[] {
      const lines: Line[] = []
      let from = 0
      for (;;) {
        const end = chunk.indexOf(LF, from)
        if (end === -1) break
        // Most empty lines cost no more than this.
        if (end > from || tailBytes > 0) add(lines, takeLine(chunk.subarray(from, end), chunk.length))
        else emptyCount += 1
        from = end + 1
      }
      keep(chunk.subarray(from))
      return lines
    },

    /** Gives the last line, when it has no end. */
    end(): Line[] {
      const lines: Line[] = []
      if (tailBytes > 0) add(lines, takeLine(Buffer.alloc(0), 0))
      return lines
    }
  }

  function add(lines: Line[], line: Line) {
    if (line !== null && isBlank(line)) emptyCount += 1
    else lines.push(line)
  }

  function takeLine(piece: Buffer, chunkBytes: number): Line {
    let line = piece
    let heldBytes = chunkBytes
    if (tailBytes > 0) {
      keep(piece)
      line = tail.subarray(0, tailBytes)
      heldBytes = tail.length
    }
    const isTooLong = Math.max(tailBytes, line.length) > maxBytes + BOM.length + 1
    const isCopied = line.length * COPY_RATIO < heldBytes
    if (isCopied) line = Buffer.from(line)
    // Never written to again: it is the caller's.
    else if (tailBytes > 0) tail = Buffer.alloc(0)
    tailBytes = 0
    if (isFirst && !isTooLong && line.indexOf(BOM) === 0) line = line.subarray(BOM.length)
    isFirst = false
    if (line.at(-1) === CR) line = line.subarray(0, -1)
    return isTooLong || line.length > maxBytes ? null : line
  }

  /** Of a line that is too long only the length is kept. */
  function keep(piece: Buffer) {
    const bytes = tailBytes + piece.length
    if (bytes <= maxBytes + BOM.length + 1) {
      if (bytes > tail.length) {
        const grown = Buffer.allocUnsafe(Math.max(FIRST_TAIL_BYTES, bytes * 2))
        tail.copy(grown, 0, 0, tailBytes)
        tail = grown
      }
      piece.copy(tail, tailBytes)
    } else {
      tail = Buffer.alloc(0)
    }
    tailBytes = bytes
  }
}

/** Space and tab, and the CR of an end that was cut off: white space of JSON. */
function isBlank(line: Buffer): boolean {
  for (let at = 0; at < line.length; at += 1) {
    const byte = line[at]
    if (byte !== 0x20 && byte !== 0x09 && byte !== CR) return false
  }
  return true
}
