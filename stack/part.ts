import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { stackErrors } from './errors.ts'
import { type Command, type Exit, launch, type Running } from './launch.ts'
import type { Log } from './output.ts'
import type { ProcessRecords } from './process-records.ts'

/** What a part is and how it is treated. */
export interface PartSpec {
  readonly name: string
  /** Asked anew before every start. */
  readonly command: () => Promise<Command>
  /** Asked again and again until it says yes; `pid` is the process that is meant. Must not throw. */
  readonly isReady: (pid: number) => Promise<boolean>
  readonly stopSignal?: NodeJS.Signals
  /** SIGKILL comes after it. */
  readonly stopDeadlineMs: number
  /** How many deaths before it was ever ready make the start fail. */
  readonly firstAttempts: number
  /** Says whether another try would end the same way until a file of it changes; then it waits for that. */
  readonly isMisconfigured?: (exit: Exit) => Promise<boolean>
}

export interface PartDependencies {
  readonly log: Log
  readonly records: ProcessRecords
  readonly onLine: (part: string, line: string) => void
  /** Called when a new process runs, and when it is ready. */
  readonly onChange?: (part: string, state: 'started' | 'ready') => void
}

/** A process that is started again whenever it dies. */
export interface Part {
  readonly name: string
  /** Of the last process that was started; null before the first. */
  readonly pid: number | null
  /** Resolves when it is ready. Rejects with SMG_STACK_PART_FAILED when it cannot be: then nothing of it runs. */
  start(): Promise<void>
  /** Ends the process and starts it again at once, also out of a wait. */
  restart(): void
  /** Ends it for good; may be called at any time. */
  stop(): Promise<void>
}

const BACKOFF_MS = { min: 500, max: 10_000 }
/** A process that lived this long is sound: its next death counts as the first. */
const STEADY_MS = 30_000
const READY_POLL_MS = 50

/** Builds one supervised part. */
export function createPart(spec: PartSpec, { log, records, onLine, onChange }: PartDependencies): Part {
  const { name, stopSignal = 'SIGTERM', stopDeadlineMs, firstAttempts, isMisconfigured = async () => false } = spec
  let running: Running | null = null
  let pid: number | null = null
  let isStopping = false
  let isRestarting = false
  let wasReady = false
  let interruption = new AbortController()
  let supervision: Promise<void> = Promise.resolve()

  return {
    name,
    get pid() {
      return pid
    },

    start() {
      return new Promise((resolve, reject) => {
        supervision = supervise(resolve, reject)
      })
    },

    restart() {
      isRestarting = true
      interrupt()
    },

    async stop() {
      isStopping = true
      interrupt()
      await supervision
    }
  }

  function interrupt() {
    interruption.abort()
    void running?.end(stopSignal, stopDeadlineMs)
  }

  async function supervise(onFirstReady: () => void, onFailure: (error: Error) => void) {
    for (let deaths = 0; !isStopping; ) {
      const startedAt = Date.now()
      const exit = await runOnce(onFirstReady)
      if (isStopping) break

      const wasSound = isRestarting || Date.now() - startedAt >= STEADY_MS
      deaths = (wasSound ? 0 : deaths) + (isRestarting ? 0 : 1)
      if (isRestarting) continue

      const isHopeless = await isMisconfigured(exit)
      if (!wasReady && (isHopeless || deaths >= firstAttempts))
        return onFailure(new stackErrors.SMG_STACK_PART_FAILED(name, exit.reason, exit.lastWords))
      if (isHopeless) await waitForChange()
      else await waitAfter(exit, deaths)
    }
    onFailure(new stackErrors.SMG_STACK_STOPPED())
  }

  async function runOnce(onFirstReady: () => void): Promise<Exit> {
    const command = await spec.command().catch(toError)
    interruption = new AbortController()
    isRestarting = false
    if (command instanceof Error) return { code: null, reason: command.message, lastWords: '' }
    if (isStopping) return { code: 0, reason: 'stopped', lastWords: '' }

    running = launch(command, { name, records, stopSignal, onLine: line => onLine(name, line) })
    pid = running.pid
    onChange?.(name, 'started')
    const dead = new AbortController()
    const ready = watchReady(running.pid, dead.signal, onFirstReady)
    const exit = await running.ended
    dead.abort()
    await ready
    running = null
    return exit
  }

  async function watchReady(child: number | null, dead: AbortSignal, onFirstReady: () => void) {
    while (child !== null && !dead.aborted) {
      if ((await spec.isReady(child)) && !dead.aborted) {
        wasReady = true
        onFirstReady()
        onChange?.(name, 'ready')
        return
      }
      await sleep(READY_POLL_MS, undefined, { signal: dead }).catch(() => undefined)
    }
  }

  async function waitForChange() {
    log.error({ part: name }, `${name} stopped, see above; it starts again when a file of it changes`)
    if (!interruption.signal.aborted) await once(interruption.signal, 'abort')
  }

  async function waitAfter(exit: Exit, deaths: number) {
    const waitMs = Math.min(BACKOFF_MS.min * 2 ** (deaths - 1), BACKOFF_MS.max)
    log.error({ part: name }, `${name} died (${exit.reason}); it starts again in ${waitMs / 1000} s`)
    await sleep(waitMs, undefined, { signal: interruption.signal }).catch(() => undefined)
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new stackErrors.SMG_STACK_STOPPED({ cause: thrown })
}
