import { setTimeout as sleep } from 'node:timers/promises'

/** Ends this process in one of the ways in which a function can; `slow` takes its time, and ends nothing. */
export async function poison(how: string | undefined): Promise<void> {
  if (how === 'slow') await sleep(2_000)
  if (how === 'late exit') await sleep(500)
  if (how === 'late exit') process.exit(3)
  if (how === 'exit') process.exit(3)
  if (how === 'abort') process.abort()
  if (how === 'loop') for (;;);
  if (how === 'rejection') {
    void Promise.reject(new Error('nobody handles this'))
    await new Promise(() => undefined)
  }
  const hoard: number[][] = []
  while (how === 'memory') hoard.push(new Array(1_000_000).fill(1.5))
}
