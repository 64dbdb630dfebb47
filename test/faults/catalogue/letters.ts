import { createHttpClient } from '../http-client.ts'
import { retry } from '../postgres.ts'
import type { System } from '../system.ts'
import { type FaultContext, isSoon, seconds } from './fault.ts'

/** Dead letters by state. */
export interface Letters {
  readonly dead: number
  readonly redriving: number
  readonly resolved: number
}

/** What a bulk redrive is asked for. */
export interface RedriveFilter {
  readonly topic: string
  readonly disposition?: string
  readonly error?: string
}

const LIMIT = 10_000
const TIMEOUT_MS = 15_000

/** Counts the dead letters of a topic whose keys begin so. */
export async function countLetters({ database }: System, topic: string, keyPrefix: string): Promise<Letters> {
  const [row] = await retry(
    () => database.sql`
      SELECT count(*) FILTER (WHERE state = 'dead')::int AS dead,
        count(*) FILTER (WHERE state = 'redriving')::int AS redriving,
        count(*) FILTER (WHERE state = 'resolved')::int AS resolved
      FROM dead_letters WHERE topic = ${topic}
        AND substring(key FROM 1 FOR ${keyPrefix.length}::int) = convert_to(${keyPrefix}, 'UTF8')`
  )
  return { dead: 0, redriving: 0, resolved: 0, ...row }
}

/** Asks all gateways at once for the redrive of all that matches; one that is away is asked again with the next call. */
export async function redriveTwice({ system, isOnly }: FaultContext, filter: RedriveFilter): Promise<void> {
  const body = JSON.stringify({ filter, limit: LIMIT })
  await Promise.all(
    system.gateways.map(async ({ name, url }) => {
      const client = createHttpClient()
      const answer = await client.post(`${url}/api/dead-letters/redrive`, body, { timeoutMs: TIMEOUT_MS })
      client.close()
      if (answer.kind !== 'answer' || answer.status === 202) return
      if (isOnly || answer.status < 500) {
        system.blame('I7', `${name} answers ${answer.status} to a redrive: ${JSON.stringify(answer.body)}`)
      }
    })
  )
}

/** Redrives, again and again, until no letter of those keys is left; throws when that does not come. */
export async function redriveAll(context: FaultContext, filter: RedriveFilter, keyPrefix: string): Promise<void> {
  const { system, signal } = context
  const isDone = async () => {
    await redriveTwice(context, filter)
    await seconds(0.3, signal)
    const { dead, redriving } = await countLetters(system, filter.topic, keyPrefix)
    return dead + redriving === 0
  }
  if (await isSoon(isDone, { timeoutMs: 120_000, signal })) return
  const left = JSON.stringify(await countLetters(system, filter.topic, keyPrefix))
  throw new Error(`the dead letters of ${filter.topic} are not all resolved: ${left}`)
}
