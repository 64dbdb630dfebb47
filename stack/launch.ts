import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessRecords } from './process-records.ts'
import { sendSignal } from './processes.ts'

/** What is to be run. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** The user to run as; null: the one of this process. */
  readonly account?: { readonly uid: number; readonly gid: number } | null
  /** Takes both outputs, appended; null: they go line by line to `onLine`. */
  readonly outputFile?: string | null
  /** Given on stdin. */
  readonly input?: string
}

export interface LaunchOptions {
  readonly name: string
  readonly records: ProcessRecords
  readonly stopSignal?: NodeJS.Signals
  readonly onLine?: (line: string) => void
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  /** `exit code 1`, `signal SIGKILL`, or why it could not be run. */
  readonly reason: string
  /** The last it said, some lines at most; or `see above`, where its lines were taken already. */
  readonly lastWords: string
}

export interface Running {
  /** Null when it could not be run: then `ended` says why. */
  readonly pid: number | null
  /** Resolves when it is dead and all of its output was taken. Rejects never. */
  readonly ended: Promise<Exit>
  /** Sends `signal`, and SIGKILL at the deadline; resolves when it is dead. */
  end(signal: NodeJS.Signals, deadlineMs: number): Promise<void>
}

const LAST_LINES = 12
const LAST_BYTES = 2_000
const OUTPUT_GRACE_MS = 500

/**
 * Starts a process in a group of its own, so that the terminal's Ctrl-C reaches nobody but the stack, and records it.
 */
export function launch(command: Command, { name, records, stopSignal, onLine }: LaunchOptions): Running {
  const { outputFile = null } = command
  const outputStart = outputFile ? sizeOf(outputFile) : 0
  const lines: string[] = []

  const child = spawnDetached(command)
  const { pid = null } = child
  if (pid !== null) records.add(name, pid, stopSignal)

  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', line => {
      if (lines.push(line) > LAST_LINES) lines.shift()
      onLine?.(line)
    })
  }

  const ended = endOf(child).then(exit => {
    if (pid !== null) records.remove(pid)
    return { ...exit, lastWords: toLastWords() }
  })

  return {
    pid,
    ended,
    async end(signal, deadlineMs) {
      if (pid === null) return
      child.kill(signal)
      const deadline = new AbortController()
      const late = sleep(deadlineMs, true, { signal: deadline.signal }).catch(() => false)
      void ended.then(() => deadline.abort())
      if (await late) sendSignal(-pid, 'SIGKILL')
      await ended
    }
  }

  function toLastWords(): string {
    if (onLine && !outputFile) return 'see above'
    return (outputFile ? tailOf(outputFile, outputStart) : lines.join('\n')) || 'it said nothing'
  }
}

function spawnDetached({ file, args, cwd, env, account, outputFile, input }: Command): ChildProcess {
  const output = outputFile ? openSync(outputFile, 'a', 0o600) : 'pipe'
  try {
    const child = spawn(file, args, {
      cwd,
      env,
      ...account,
      detached: true,
      stdio: [input === undefined ? 'ignore' : 'pipe', output, output]
    })
    // A process that dies before it has read everything: its exit tells.
    child.stdin?.on('error', () => undefined).end(input)
    return child
  } finally {
    if (typeof output === 'number') closeSync(output)
  }
}

function endOf(child: ChildProcess): Promise<Omit<Exit, 'lastWords'>> {
  return new Promise(resolve => {
    child.once('error', error => {
      // Without a pid it never ran, and there is no exit to come.
      if (child.pid === undefined) resolve({ code: null, reason: error.message })
    })
    child.once('exit', async (code, signal) => {
      // The last lines may still be on their way; a grandchild that holds the pipe open is not waited for.
      await Promise.race([new Promise(done => child.once('close', done)), sleep(OUTPUT_GRACE_MS)])
      resolve({ code, reason: signal ? `signal ${signal}` : `exit code ${code}` })
    })
  })
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

function tailOf(file: string, start: number): string {
  return readFileSync(file).subarray(start).subarray(-LAST_BYTES).toString().trim()
}
