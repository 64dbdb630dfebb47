import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openConnection } from '../../bench/load/connection.ts'
import { runOpenLoop } from '../../bench/load/open-loop.ts'
import type { Plan } from '../../bench/load/plan.ts'
import { createTally } from '../../bench/load/tally.ts'

t.test('an open loop leaves connections alone that the server closed while they were idle', async t => {
  const server = createServer((_, response) => response.writeHead(202, { 'content-length': 2 }).end('{}'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const connection = once(server, 'connection')
  const kept = await openConnection(url)
  await connection
  // What a server says to who asks nothing for long.
  server.once('connection', socket => socket.end('HTTP/1.1 408 Request Timeout\r\ncontent-length: 2\r\n\r\n{}'))
  const closed = await openConnection(url)
  t.teardown(() => kept.close())
  for (let looks = 0; !closed.isBroken() && looks < 500; looks += 1) await sleep(10)

  const tally = createTally(202)
  const nextRequest = () => Buffer.from('POST / HTTP/1.1\r\nhost: bench\r\ncontent-length: 0\r\n\r\n')
  const plan = { seconds: 0.1, requestsPerSecond: 50 } as Plan
  await runOpenLoop([kept, closed], plan, { nextRequest, tally, onAnswer: () => undefined })

  t.match(tally.toResult(), { requests: 5, failures: 0, firstFailure: null })
})
