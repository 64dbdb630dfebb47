import type { Servers } from '../servers.ts'
import { type Chain, type ChainOptions, startChain } from './start-chain.ts'

/** Runs something on a chain of its own, and ends it. */
export async function withChain<T>(
  servers: Servers,
  options: ChainOptions,
  work: (chain: Chain) => Promise<T>
): Promise<T> {
  const chain = await startChain(servers, options)
  try {
    return await work(chain)
  } finally {
    await chain.stop()
  }
}
