import type { FastifyReply, FastifyRequest } from 'fastify'
import { findWaitSeconds } from './prefer-wait.ts'
import type { ProduceOutcome } from './produce.ts'
import type { App } from './types.ts'

/** The body of the answer to an event that Kafka has. */
export interface Accepted {
  readonly id: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly timestamp: string
}

/** What is said of an event that was accepted. */
export function toAccepted(
  topic: string,
  { id, partition, offset, timestampMs }: Exclude<ProduceOutcome, { error: Error }>
): Accepted {
  return { id, topic, partition, offset, timestamp: toTime(timestampMs) }
}

let latest = { timestampMs: -1, text: '' }

/** ISO 8601. Events of one moment share it. */
function toTime(timestampMs: number): string {
  if (timestampMs !== latest.timestampMs) latest = { timestampMs, text: new Date(timestampMs).toISOString() }
  return latest.text
}

/** Answers 202, or 200 with the outcome when the client prefers to wait for it and it is there in time. */
export async function answerEvent(app: App, { accepted, request, reply }: Answering) {
  const { id, topic } = accepted
  reply.header('location', `/api/messages/${id}?topic=${encodeURIComponent(topic)}`)

  const seconds = findWaitSeconds(request.headers.prefer)
  if (seconds === null || seconds === 0) return reply.code(202).send(accepted)

  reply.header('preference-applied', `wait=${seconds}`)
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  const outcome = await app.outcomes.wait(
    { topic, id, groupId: `${app.settings.groupPrefix}${topic}` },
    { timeoutMs: seconds * 1000, signal: gone.signal }
  )
  return outcome ? reply.code(200).send({ ...accepted, outcome }) : reply.code(202).send(accepted)
}

interface Answering {
  readonly accepted: Accepted
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}
