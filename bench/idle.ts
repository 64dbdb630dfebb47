import { setTimeout as sleep } from 'node:timers/promises'
import { migrate } from '../db/migrate.ts'
import { launch } from '../stack/launch.ts'
import { isAnswering } from '../stack/node-part.ts'
import { readMemory } from './cpu.ts'
import { type OurPart, toOurCommand } from './ours.ts'
import type { Servers } from './servers.ts'

/** How one of our processes begins and rests. */
export interface IdleResult {
  readonly part: OurPart
  readonly round: number
  /** From its start until `/health/ready` says yes. */
  readonly readyMs: number
  readonly idleBytes: number
}

const REST_MS = 10_000
const POLL_MS = 10
const STOP_DEADLINE_MS = 10_000

/** Starts each of our processes some times, with all functions, and looks at its memory when it had nothing to do for 10 s. */
export async function measureIdle(
  servers: Servers,
  { rounds, onResult }: { rounds: number; onResult: (result: IdleResult) => void }
): Promise<void> {
  const { site, databaseUrl } = servers
  await migrate(databaseUrl)
  // The first round makes the topics, and does not count.
  for (let round = 0; round <= rounds; round += 1) {
    for (const part of ['gateway', 'runner'] as const) {
      const port = await site.findPort(0)
      const command = toOurCommand(part, {
        ...servers,
        port,
        environment: { SECURITY_ENABLED: 'false', ALLOW_INSECURE_PRODUCTION: 'true' }
      })
      const startedMs = performance.now()
      const outputFile = `${site.logFolder}/idle-${part}-${round}.log`
      const running = launch({ ...command, outputFile }, { name: part, records: site.records })
      await Promise.race([
        ready(port),
        running.ended.then(({ reason }) => Promise.reject(new Error(`${part}: ${reason}`)))
      ])
      const readyMs = performance.now() - startedMs
      await sleep(REST_MS)
      if (round > 0) onResult({ part, round, readyMs, idleBytes: readMemory(running.pid ?? 0) })
      await running.end('SIGTERM', STOP_DEADLINE_MS)
    }
  }
}

async function ready(port: number): Promise<void> {
  while (!(await isAnswering(`http://127.0.0.1:${port}/health/ready`))) await sleep(POLL_MS)
}
