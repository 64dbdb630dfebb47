/** What a send of KafkaJS gives for one partition; `baseOffset` is the offset of its first record. */
export interface Acknowledgement {
  readonly topicName: string
  readonly partition: number
  readonly errorCode: number
  readonly baseOffset?: string
  /** Where `errorCode` is one: others of the send were written. */
  readonly error?: Error
}

/** First offsets by `topic/partition`; what is missing was not acknowledged, whatever the send resolved to. */
export type Coverage = ReadonlyMap<string, string>

/**
 * Reads which partitions a send really wrote. KafkaJS resolves although a partition whose leader moved was never
 * written: it skips brokers that have answered before.
 */
export function toCoverage(acknowledgements: readonly Acknowledgement[]): Coverage {
  const coverage = new Map<string, string>()

  for (const { topicName, partition, errorCode, baseOffset } of acknowledgements) {
    if (errorCode === 0 && baseOffset !== undefined) coverage.set(toPlace(topicName, partition), baseOffset)
  }
  return coverage
}

/** The name of a partition in a coverage. */
export function toPlace(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

/** Offset of the record at `index` of a batch, as a decimal string. */
export function toOffset(baseOffset: string, index: number): string {
  const base = Number(baseOffset)
  return Number.isSafeInteger(base + index) ? String(base + index) : String(BigInt(baseOffset) + BigInt(index))
}
