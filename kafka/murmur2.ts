const M = 0x5bd1e995
const SEED = 0x9747b28c

/**
 * Hashes a key as Kafka's Java client does; gives a signed 32-bit integer.
 * The rule: org.apache.kafka.common.utils.Utils.murmur2.
 */
export function murmur2(key: Uint8Array): number {
  const { length } = key
  const words = length & ~3
  const byte = (at: number) => key[at] as number
  let hash = SEED ^ length

  for (let at = 0; at < words; at += 4) {
    const word = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24)
    const mixed = Math.imul(word, M)
    hash = Math.imul(hash, M) ^ Math.imul(mixed ^ (mixed >>> 24), M)
  }
  const rest = length - words
  if (rest === 3) hash ^= byte(words + 2) << 16
  if (rest >= 2) hash ^= byte(words + 1) << 8
  if (rest >= 1) hash = Math.imul(hash ^ byte(words), M)

  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}

/** Gives the partition of a key, from 0 to `count` - 1: the one that Java's default partitioner chooses. */
export function partitionOf(key: Uint8Array, count: number): number {
  return (murmur2(key) & 0x7fffffff) % count
}
