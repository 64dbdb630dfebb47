import type { Consumer } from '../kafka/types.ts'
import { failpoint } from '../sdk/failpoints.ts'

/** Positions for Kafka's own commit: what lag tools and autoscalers see, and nobody starts at. */
export interface Hints {
  set(partition: number, offset: bigint): void
  delete(partition: number): void
  /** Tells Kafka what it has not taken yet. */
  commit(consumer: Consumer | null): Promise<void>
}

/** Builds hints with nothing to tell. */
export function createHints(): Hints {
  const untold = new Map<number, bigint>()

  return {
    set: (partition, offset) => void untold.set(partition, offset),
    delete: partition => void untold.delete(partition),
    async commit(consumer) {
      if (untold.size === 0 || !consumer) return
      const positions = new Map(untold)
      await failpoint('before-offset-commit')
      if (!(await consumer.commit(positions))) return
      for (const [partition, offset] of positions) if (untold.get(partition) === offset) untold.delete(partition)
    }
  }
}
