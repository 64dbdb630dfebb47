import { existsSync, readFileSync } from 'node:fs'
import { listTree } from './cpu.ts'

/** Bytes of one. */
export const MB = 1024 * 1024
const KILOBYTES_PER_MB = 1024

/**
 * Memory of some processes with their descendants, by name and of all, in MB: what is resident, and what of it is their
 * share (PSS). Where the kernel tells no shares (`smaps_rollup`), or not to us, there are none.
 */
export function readMemoryFigures(pids: Readonly<Record<string, number>>): Record<string, number> {
  const trees = Object.entries(pids).map(([name, pid]) => [name, listTree(pid)] as const)
  return {
    ...toFigures('RSS', pid => readKilobytes(pid, 'status', /^VmRSS:\s+(\d+) kB/m)),
    ...(existsSync('/proc/self/smaps_rollup') &&
      toFigures('PSS', pid => readKilobytes(pid, 'smaps_rollup', /^Pss:\s+(\d+) kB/m)))
  }

  function toFigures(kind: string, read: (pid: number) => number | null): Record<string, number> {
    const sums = trees.map(([name, tree]) => [name, sumOf(tree.map(read))] as const)
    if (sums.some(([, sum]) => sum === null)) return {}
    const all = sumOf(sums.map(([, sum]) => sum)) ?? 0
    return Object.fromEntries(
      [...sums, ['all', all] as const].map(([name, sum]) => [`${kind} MB ${name}`, (sum ?? 0) / KILOBYTES_PER_MB])
    )
  }
}

function sumOf(numbers: readonly (number | null)[]): number | null {
  return numbers.reduce((sum, number) => (sum === null || number === null ? null : sum + number), 0)
}

/** 0 of a process that is gone meanwhile, null where it may not be read. */
function readKilobytes(pid: number, file: string, pattern: RegExp): number | null {
  try {
    return Number(pattern.exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1] ?? 0)
  } catch (error) {
    return ['ENOENT', 'ESRCH'].includes(String((error as NodeJS.ErrnoException).code)) ? 0 : null
  }
}
