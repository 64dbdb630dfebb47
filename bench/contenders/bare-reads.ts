// The least that answers our reads: node:http and postgres.js, with our queries and as many connections as our gateway has
// on two cores. Nothing is checked, limited, measured or logged.
import { createServer, type ServerResponse } from 'node:http'
import postgres from 'postgres'
import { createMessageQueries } from '../../db/queries/messages.ts'
import { toPageText } from '../../gateway/schemas/list.ts'

const CONNECTIONS = 4
const ITEM = /^\/api\/messages\/([0-9a-f-]{36})$/
const PAGE = /^\/api\/messages\?limit=(\d+)$/

const sql = postgres(process.env.DATABASE_URL ?? '', { max: CONNECTIONS })
const messages = createMessageQueries(sql)

const server = createServer(async (request, response) => {
  const url = request.url ?? ''
  const [, id] = ITEM.exec(url) ?? []
  const [, limit] = PAGE.exec(url) ?? []
  if (id) return answer(response, await messages.findById(id))
  if (limit) return answer(response, toPageText(await messages.list({}, { limit: Number(limit), after: null })))
  answer(response, url === '/health/ready' ? '{"status":"ok"}' : undefined)
})

function answer(response: ServerResponse, text: string | undefined) {
  const body = text ?? '{}'
  response.writeHead(text === undefined ? 404 : 200, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body)
  })
  response.end(body)
}

process.once('SIGTERM', () => {
  server.closeAllConnections()
  server.close(() => void sql.end({ timeout: 1 }).then(() => process.exit(0)))
})
server.listen(Number(process.env.PORT), '127.0.0.1')
