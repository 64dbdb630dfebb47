import { compress as compressBlock, uncompress as uncompressBlock } from 'snappy'

// The frame of Java's clients: https://github.com/xerial/snappy-java, SnappyOutputStream. librdkafka writes none.
const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const HEADER_BYTES = 16
const BLOCK_BYTES = 32 * 1024
const VERSION = 1

/** Compresses as Java's clients do. */
export async function compressSnappy(bytes: Buffer): Promise<Buffer> {
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header.writeInt32BE(VERSION, 8)
  header.writeInt32BE(VERSION, 12)

  const parts: Buffer[] = [header]
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = await compressBlock(bytes.subarray(at, at + BLOCK_BYTES))
    const size = Buffer.alloc(4)
    size.writeInt32BE(block.length)
    parts.push(size, block)
  }
  return Buffer.concat(parts)
}

/** Reads what Java's clients write, in blocks behind a header, and what librdkafka writes, one bare block. */
export async function decompressSnappy(bytes: Buffer): Promise<Buffer> {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return uncompressBare(bytes)

  const parts: Buffer[] = []
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const size = bytes.readInt32BE(at)
    parts.push(await uncompressBare(bytes.subarray(at + 4, at + 4 + size)))
    at += 4 + size
  }
  return Buffer.concat(parts)
}

async function uncompressBare(bytes: Buffer): Promise<Buffer> {
  return (await uncompressBlock(bytes, { asBuffer: true })) as Buffer
}
