import type { TransactionLimits, WriteTransaction } from '../db/write-transaction.ts'
import { createWriter, type Writer, type WriterOptions } from '../db/writer.ts'
import { createGate, type Gate } from './gate.ts'

/** Connections for transactions, shared by the functions of a runner. */
export interface WriterPool {
  /** Runs `work` in a transaction on the next free connection, and first waits at `entry`, if there is one. */
  transaction<T>(work: (tx: WriteTransaction) => Promise<T>, limits: TransactionLimits, entry?: Gate): Promise<T>
  close(): Promise<void>
}

/** Builds a pool of `size` writers; each connects when it is first needed. */
export function createWriterPool(url: string, { size, ...options }: WriterOptions & { size: number }): WriterPool {
  const writers = Array.from({ length: size }, () => createWriter(url, options))
  const free = [...writers]
  const gate = createGate(size)

  return {
    async transaction(work, limits, entry) {
      await gate.pass()
      // As many may pass as there are writers.
      const writer = free.pop() as Writer
      // Before it begins: whoever waits in a transaction holds its locks.
      await entry?.pass()
      try {
        return await writer.transaction(work, limits)
      } finally {
        entry?.leave()
        free.push(writer)
        gate.leave()
      }
    },
    async close() {
      await Promise.all(writers.map(writer => writer.close()))
    }
  }
}
