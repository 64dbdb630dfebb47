import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, launch, type Running } from '../../stack/launch.ts'
import { createPortFinder } from '../../stack/ports.ts'
import { createProcessRecords } from '../../stack/process-records.ts'
import { findStartTime } from '../../stack/processes.ts'
import type { Site } from '../../stack/site.ts'

/** Where the processes of a run live. Everything below its folder is the run's own. */
export interface Machine extends Site {
  /** The root of the source tree whose gateway and runner are run. */
  readonly root: string
  /** Ends what is still running. */
  stop(): Promise<void>
}

const PREFIX = 'smg-faults-'

/** Makes a folder for a run, and clears up after earlier runs whose own process is gone. */
export async function openMachine(root: string): Promise<Machine> {
  await sweepRuns()
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  // PostgreSQL runs as another user than root, and has to reach its data.
  chmodSync(folder, 0o755)
  const logFolder = join(folder, 'logs')
  mkdirSync(logFolder, { recursive: true })
  const records = createProcessRecords(join(folder, 'pids.json'))
  const shutdown = new AbortController()
  return {
    root,
    dataFolder: folder,
    logFolder,
    environment: process.env,
    records,
    findPort: createPortFinder(),
    log: { info: () => undefined, warn: () => undefined, error: console.error },
    shutdown: shutdown.signal,
    async stop() {
      shutdown.abort()
      await records.sweep()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}

/** Ends what runs left behind that were killed. */
async function sweepRuns(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = /^smg-faults-(\d+)-/.exec(name) ?? []
    if (pid === undefined || findStartTime(Number(pid)) !== null) continue
    const folder = join(tmpdir(), name)
    await createProcessRecords(join(folder, 'pids.json')).sweep()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** A process of ours: started, signalled and reaped here, and nowhere by name. */
export interface Process {
  readonly name: string
  /** Null while it does not run. */
  pid(): number | null
  isRunning(): boolean
  /** How often it was started. */
  starts(): number
  /** Starts it and waits until it is ready. Rejects when it ends before or is late. */
  start(tries?: number): Promise<void>
  /** Sends a signal to the process itself, if it runs. */
  signal(signal: NodeJS.Signals): void
  /** Stops it for a while (SIGSTOP); `resume` lets it go on. */
  freeze(): void
  resume(): void
  /** Sends a signal and waits for the end; SIGKILL follows at the deadline. Gives whether that was needed. */
  end(signal: NodeJS.Signals, deadlineMs?: number): Promise<boolean>
  /** Resolves with the next end of the process. */
  ended(): Promise<{ code: number | null; reason: string }>
}

export interface ProcessOptions {
  readonly name: string
  readonly command: () => Promise<Command>
  readonly isReady: (pid: number) => boolean | Promise<boolean>
  readonly records: Site['records']
  readonly readyTimeoutMs?: number
}

/** With this code a part ends whose port is taken. */
const WRONG_SETUP = 2
const READY_POLL_MS = 50
const READY_TIMEOUT_MS = 120_000

/** Builds a process that is not started yet. */
export function createProcess({ name, command, isReady, records, readyTimeoutMs }: ProcessOptions): Process {
  let running: Running | null = null
  let ended: Promise<{ code: number | null; reason: string }> = Promise.resolve({ code: null, reason: 'not started' })
  let starts = 0
  let isFrozen = false

  function signal(what: NodeJS.Signals) {
    const pid = running?.pid
    if (!pid) return
    try {
      process.kill(pid, what)
    } catch {
      // It ended a moment ago.
    }
  }

  const self: Process = {
    name,
    pid: () => running?.pid ?? null,
    isRunning: () => running !== null,
    starts: () => starts,
    signal,
    ended: () => ended,

    async start(tries = 3) {
      if (running) return
      const given = await command()
      const child = launch(given, { name, records })
      starts += 1
      running = child
      isFrozen = false
      ended = child.ended.then(({ code, reason }) => {
        if (running === child) running = null
        return { code, reason }
      })
      const deadlineMs = Date.now() + (readyTimeoutMs ?? READY_TIMEOUT_MS)
      while (!(await isReady(child.pid ?? 0))) {
        if (running !== child) {
          const { code, reason } = await ended
          if (code !== WRONG_SETUP || tries === 1) throw new Error(`${name} ended before it was ready: ${reason}`)
          // A connection that goes out has its port by chance: it comes free again.
          await sleep(1_000)
          return self.start(tries - 1)
        }
        if (Date.now() > deadlineMs) throw new Error(`${name} was not ready in time`)
        await sleep(READY_POLL_MS)
      }
    },

    freeze() {
      isFrozen = true
      signal('SIGSTOP')
    },
    resume() {
      if (isFrozen) signal('SIGCONT')
      isFrozen = false
    },

    async end(how, deadlineMs = 20_000) {
      const child = running
      if (!child) return false
      self.resume()
      const from = Date.now()
      await child.end(how, deadlineMs)
      await ended
      return how !== 'SIGKILL' && Date.now() - from >= deadlineMs
    }
  }
  return self
}

/** Copies a folder with the owners and times of its files. */
export function copyFolder(from: string, to: string) {
  rmSync(to, { recursive: true, force: true })
  // Node's own copy gives every file to whoever copies.
  execFileSync('cp', ['-a', from, to])
}
