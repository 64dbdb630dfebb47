interface Log {
  readonly logStartOffset: string
  readonly logEndOffset: string
  readonly nextOffset: string | null
}

/** How much of a partition's log lies before its position, 0 to 1. An empty log is settled; one without a position is not. */
export function toShares({ logStartOffset, logEndOffset, nextOffset }: Log): { readonly settled: number } {
  const start = BigInt(logStartOffset)
  const length = BigInt(logEndOffset) - start
  if (length <= 0n) return { settled: 1 }
  const done = nextOffset === null ? 0n : BigInt(nextOffset) - start
  // Offsets have 64 bits: the quotient is made of whole numbers, and never below nothing or above all.
  const perMille = Number((done * 1000n) / length)
  return { settled: Math.min(1, Math.max(0, perMille / 1000)) }
}
