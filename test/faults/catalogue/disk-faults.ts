import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Process } from '../machine.ts'
import { type Fault, type FaultContext, seconds } from './fault.ts'

const MEGABYTE = 1024 * 1024
const FILLER = 'filler'

/** Row 9: no space is left under PostgreSQL, the broker, our own logs. */
export const diskFaults: readonly Fault[] = [
  {
    row: 9,
    name: 'postgres-disk-full',
    title: 'no space is left under PostgreSQL',
    needs: ['mount'],
    inject: context => fill(context, context.system.postgres.process, context.system.postgres.data, 'SIGINT')
  },
  {
    row: 9,
    name: 'kafka-disk-full',
    title: 'no space is left under the broker',
    needs: ['mount'],
    async inject(context) {
      const [broker] = context.system.cluster.brokers
      if (broker) await fill(context, broker.process, broker.data, 'SIGTERM')
    }
  },
  {
    row: 9,
    name: 'log-disk-full',
    title: 'no space is left for the logs of the runners',
    needs: ['mount'],
    async inject({ system, signal }) {
      const folder = join(system.folder, 'logs')
      mount(folder, MEGABYTE)
      try {
        writeFileSync(join(folder, FILLER), Buffer.alloc(MEGABYTE - 16_384))
        // Whoever reads the end of a log finds one.
        for (const { name } of [...system.gateways, ...system.runners]) writeFileSync(join(folder, `${name}.log`), '')
        // Their logs are opened anew, on the small disk.
        for (const { process } of system.runners) process.signal('SIGKILL')
        await seconds(8, signal)
        rmSync(join(folder, FILLER), { force: true })
        await seconds(1, signal)
      } finally {
        unmount(folder)
      }
    }
  }
]

/** Moves a server's data to a disk of their size and a little more, fills that, and gives the space back. */
async function fill(
  { system, signal }: FaultContext,
  process: Process,
  data: string,
  stopSignal: NodeJS.Signals
): Promise<void> {
  await process.end(stopSignal)
  const kept = `${data}.kept`
  execFileSync('cp', ['-a', data, kept])
  const owner = statSync(data)
  mount(data, sizeOf(kept) + 96 * MEGABYTE)
  try {
    execFileSync('cp', ['-a', `${kept}/.`, data])
    execFileSync('chown', [`${owner.uid}:${owner.gid}`, data])
    execFileSync('chmod', ['0700', data])
    await process.start()
    fillUp(data)
    system.note('the disk is full')
    await seconds(system.isFull ? 60 : 5, signal)
    rmSync(join(data, FILLER), { force: true })
    system.note('there is space again')
    await seconds(2, signal)
    // Nobody mends it: the most that happens by itself is that a supervisor starts it again.
    await process.start()
  } finally {
    await process.end(stopSignal)
    rmSync(kept, { recursive: true, force: true })
    cpSync(data, kept, { recursive: true })
    execFileSync('cp', ['-a', `${data}/.`, kept])
    unmount(data)
    execFileSync('cp', ['-a', `${kept}/.`, data])
    rmSync(kept, { recursive: true, force: true })
    await process.start()
  }
}

function fillUp(folder: string) {
  try {
    execFileSync('dd', ['if=/dev/zero', `of=${join(folder, FILLER)}`, 'bs=64k'], { stdio: 'ignore' })
  } catch {
    // It ends with an error: there is no space left.
  }
}

const mounted = new Set<string>()

function mount(folder: string, bytes: number) {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${Math.ceil(bytes / 1024)}k`, 'tmpfs', folder])
  mounted.add(folder)
}

function unmount(folder: string) {
  if (!mounted.delete(folder)) return
  execFileSync('umount', ['-l', folder])
}

/** Takes off what a run that ended early left mounted. */
export function unmountAll() {
  for (const folder of [...mounted]) unmount(folder)
}

function sizeOf(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).blocks * 512
  }
  return bytes
}
