import postgres from 'postgres'
import { connectionOptions } from './client.ts'

/**
 * What a backend does: it works on a statement, waits for a lock with it, or has none, because all were answered or the
 * next one has not arrived. `unknown` when nobody tells in time, or the server has no such backend any more.
 */
export type BackendState = 'working' | 'locked' | 'idle' | 'unknown'

/** So long the server has for its answer. */
const ASK_MS = 2_000

/** Asks, on a connection of its own, what a backend does; never rejects. */
export async function askBackend(
  url: string,
  { pid, applicationName }: { pid: number; applicationName: string }
): Promise<BackendState> {
  const client = postgres(url, { ...connectionOptions, max: 1, connection: { application_name: applicationName } })
  const timer = setTimeout(() => void client.end({ timeout: 0 }), ASK_MS)
  try {
    const [backend] = await client`SELECT state, wait_event_type AS waits FROM pg_stat_activity WHERE pid = ${pid}`
    if (!backend) return 'unknown'
    if (backend.waits === 'Lock') return 'locked'
    // Where the server keeps no states it cannot be told, and a statement that is not idle is the usual one.
    return String(backend.state).startsWith('idle') ? 'idle' : 'working'
  } catch {
    // Which is the answer.
    return 'unknown'
  } finally {
    clearTimeout(timer)
    await client.end({ timeout: 0 })
  }
}
