import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A request as it arrived. */
interface Received {
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

type Answer = (response: ServerResponse, received: Received) => void

/** A receiver of webhooks that answers 204, or what the test says. */
export async function startReceiver(
  t: Pick<Test, 'teardown'>,
  answer: Answer = response => response.writeHead(204).end()
) {
  const received: Received[] = []
  const behaviour = { answer }
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    const one = { headers: request.headers, text }
    received.push(one)
    behaviour.answer(response, one)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`,
    received,
    /** What the ids of the notices were, in the order of their arrival. */
    ids: () => received.map(({ headers }) => String(headers['webhook-id'])),
    /** From now on. */
    answerWith(next: Answer) {
      behaviour.answer = next
    }
  }
}
