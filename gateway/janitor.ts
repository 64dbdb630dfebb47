import type { FastifyBaseLogger } from 'fastify'

interface JanitorDependencies {
  /** Each deletes some rows and says how many; it is called again until that is 0. */
  readonly chores: Readonly<Record<string, () => Promise<number>>>
  readonly intervalMs: number
  readonly log: FastifyBaseLogger
}

/** Builds the deleting of rows whose time is over, in small portions. Several gateways may do it at once. */
export function createJanitor({ chores, intervalMs, log }: JanitorDependencies) {
  let timer: NodeJS.Timeout | null = null
  let isStopped = false

  return { clean, start, stop }

  /** Deletes all that is old now. Rejects never: what is left is deleted the next time. */
  async function clean(): Promise<void> {
    for (const [name, chore] of Object.entries(chores)) {
      try {
        const deleted = await repeat(chore)
        if (deleted > 0) log.info({ chore: name, deleted }, 'old rows are deleted')
      } catch (err) {
        log.warn({ err, chore: name }, 'old rows cannot be deleted')
      }
    }
  }

  async function repeat(chore: () => Promise<number>): Promise<number> {
    let total = 0
    for (let deleted = -1; deleted !== 0 && !isStopped; total += deleted) deleted = await chore()
    return total
  }

  /** Cleans after `intervalMs`, and so on. */
  function start(): void {
    if (isStopped) return
    timer = setTimeout(() => void clean().then(start), intervalMs)
    timer.unref()
  }

  function stop(): void {
    isStopped = true
    if (timer) clearTimeout(timer)
  }
}
