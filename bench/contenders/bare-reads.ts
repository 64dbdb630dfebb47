// The least that answers our reads: node:http and postgres.js, and SQL by hand for PostgreSQL 18, with as many connections as
// our gateway has on two cores. Nothing is checked, limited, measured or logged, and a page may be of any size in bytes.
import { createServer, type ServerResponse } from 'node:http'
import postgres from 'postgres'

interface Row {
  readonly id: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly key: string | null
  readonly value: string
  readonly headers: string
  /** As JSON. */
  readonly time: string
  readonly received: string
}

const CONNECTIONS = 4
const ITEM = /^\/api\/messages\/([0-9a-f-]{36})$/
const PAGE = /^\/api\/messages\?limit=(\d+)$/

const COLUMNS = `id, topic, partition, "offset", key, value::text, headers::text,
  to_json("timestamp" AT TIME ZONE 'UTC')::text AS time, to_json(received_at AT TIME ZONE 'UTC')::text AS received`
// PostgreSQL 18 skips from topic to topic in the index; one before it would read all of that.
const FIND = `SELECT ${COLUMNS} FROM messages WHERE id = $1::uuid ORDER BY topic LIMIT 1`

const sql = postgres(process.env.DATABASE_URL ?? '', { max: CONNECTIONS })

const server = createServer(async (request, response) => {
  const url = request.url ?? ''
  const [, id] = ITEM.exec(url) ?? []
  const [, limit] = PAGE.exec(url) ?? []
  if (id) return answer(response, await findItem(id))
  if (limit) return answer(response, await readPage(Number(limit)))
  answer(response, url === '/health/ready' ? '{"status":"ok"}' : undefined)
})

async function findItem(id: string): Promise<string | undefined> {
  const [row] = await sql.unsafe<Row[]>(FIND, [id], { prepare: true })
  return row && toItem(row)
}

async function readPage(limit: number): Promise<string> {
  // The limit stands in the text: as a parameter it would have every page planned anew.
  const text = `SELECT ${COLUMNS} FROM messages ORDER BY "timestamp" DESC, id DESC, topic DESC LIMIT ${limit + 1}`
  const rows = await sql.unsafe<Row[]>(text, [], { prepare: true })
  const last = rows.length > limit ? rows[limit - 1] : undefined
  const next = last ? toCursor(last) : null
  return `{"items":[${rows.slice(0, limit).map(toItem).join(', ')}],"nextCursor":${JSON.stringify(next)}}`
}

function toItem(row: Row): string {
  const { id, topic, partition, offset, key, value, headers, time, received } = row
  const record = `"id" : "${id}", "topic" : ${JSON.stringify(topic)}, "partition" : ${partition}, "offset" : "${offset}"`
  const event = `"key" : ${JSON.stringify(key)}, "value" : ${value}, "headers" : ${headers}`
  return `{${record}, ${event}, "timestamp" : ${toIso(time)}, "receivedAt" : ${toIso(received)}}`
}

/** PostgreSQL leaves zeros at the end of a second out. */
function toIso(time: string): string {
  const [seconds = '', fraction = ''] = time.slice(1, -1).split('.')
  return `"${seconds}.${fraction.padEnd(fraction.length > 3 ? 6 : 3, '0')}Z"`
}

function toCursor({ time, id, topic }: Row): string {
  return Buffer.from(JSON.stringify([time.slice(1, -1), id, topic])).toString('base64url')
}

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
