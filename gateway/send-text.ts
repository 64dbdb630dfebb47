import type { FastifyReply } from 'fastify'

/** Answers with JSON that is text already; tests hold it against the schema of its route. */
export function sendText(reply: FastifyReply, text: string) {
  return reply.type('application/json; charset=utf-8').send(text)
}
