import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launch } from '../../stack/launch.ts'
import { toNodeCommand } from '../../stack/node-part.ts'
import type { Site } from '../../stack/site.ts'
import { ROOT } from '../services.ts'
import { END_SIGNAL, type LoadLine, type LoadResult, type Plan, type PlannedRequest } from './plan.ts'

/** Called on the way of a plan. */
export interface Moments {
  /** Before the first request. */
  readonly onBegin?: () => void
  /** After the last answer. */
  readonly onEnd?: () => void
  /** Ends the plan before its time: nothing more is sent, and the last answers are waited for. */
  readonly until?: AbortSignal
}

const MAIN = join('bench', 'load', 'main.ts')
const END_DEADLINE_MS = 60_000

/** Runs a plan in a process of its own; throws when that does not come to its end. */
export async function runLoad(site: Site, plan: Plan, { onBegin, onEnd, until }: Moments = {}): Promise<LoadResult> {
  const results: LoadResult[] = []
  const words: string[] = []
  const command = { ...toNodeCommand(MAIN, ROOT, process.env), input: JSON.stringify(plan) }
  const running = launch(command, { name: 'load', records: site.records, onLine: take })
  until?.addEventListener('abort', () => void running.end(END_SIGNAL, END_DEADLINE_MS), { once: true })
  const { reason } = await running.ended
  const [result] = results
  if (!result) throw new Error(`the load generator ended (${reason}): ${words.join('\n')}`)
  return result

  function take(text: string) {
    if (!text.startsWith('{"event":')) return void words.push(text)
    const line: LoadLine = JSON.parse(text)
    if (line.event === 'begun') return onBegin?.()
    onEnd?.()
    results.push(line.result)
  }
}

/** Writes requests where a plan finds them, and gives the name of the file. */
export function writeRequests(site: Site, name: string, requests: readonly PlannedRequest[]): string {
  const file = join(site.dataFolder, `${name}.json`)
  writeFileSync(file, JSON.stringify(requests))
  return file
}
