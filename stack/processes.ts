import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that can be told from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number
  /** In the system's own form; compared only. */
  readonly startTime: string
}

/** Gives when a process was started; null when there is none, also when it is dead and only not yet reaped. */
export function findStartTime(pid: number): string | null {
  return process.platform === 'linux' ? startTimeInProc(pid) : startTimeByPs(pid)
}

/** Says whether this very process still runs. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return findStartTime(pid) === startTime
}

/** This process, for others to watch. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTime: findStartTime(process.pid) ?? '' }
}

/** Sends a signal; gives false when nobody is there to take it. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    // ESRCH, or EPERM: then the pid is another user's and not ours.
    return false
  }
}

/**
 * Ends a process that need not be a child of this one: `signal` first, SIGKILL to its whole group at the deadline.
 * Gives false when it was gone already.
 */
export async function endProcess(identity: ProcessIdentity, signal: NodeJS.Signals, deadlineMs: number) {
  if (!isAlive(identity)) return false
  sendSignal(identity.pid, signal)

  const deadline = Date.now() + deadlineMs
  while (isAlive(identity)) {
    if (Date.now() > deadline && !sendSignal(-identity.pid, 'SIGKILL')) sendSignal(identity.pid, 'SIGKILL')
    await sleep(20)
  }
  return true
}

// Fields of /proc/<pid>/stat (proc(5)), counted after the name, which may itself hold spaces and parentheses.
const STATE = 0
const START_TIME = 19

function startTimeInProc(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[STATE] === 'Z' || fields[STATE] === 'X') return null
    // Ticks since boot: after a reboot the same pid could come at the same tick.
    return `${bootId()}/${fields[START_TIME]}`
  } catch {
    return null
  }
}

let boot: string | undefined

function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
  return boot
}

function startTimeByPs(pid: number): string | null {
  try {
    const [state = 'Z', ...start] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore']
    })
      .trim()
      .split(/\s+/)
    return state.startsWith('Z') ? null : start.join(' ')
  } catch {
    return null
  }
}
