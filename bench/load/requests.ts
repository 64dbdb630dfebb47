import { readFileSync } from 'node:fs'
import type { Plan, PlannedRequest } from './plan.ts'

/** Gives the requests of a plan as bytes, in turn, without an end. */
export function createRequests({ url, requestsFile }: Plan): () => Buffer {
  const { host } = new URL(url)
  const planned: PlannedRequest[] = JSON.parse(readFileSync(requestsFile, 'utf8'))
  const requests = planned.map(request => toBytes(request, host))
  let turn = 0

  return () => {
    turn = (turn + 1) % requests.length
    return requests[turn] as Buffer
  }
}

function toBytes({ method, path, body }: PlannedRequest, host: string): Buffer {
  const fields = [`${method} ${path} HTTP/1.1`, `host: ${host}`, 'accept: application/json']
  if (body !== null) fields.push('content-type: application/json', `content-length: ${Buffer.byteLength(body)}`)
  return Buffer.from(`${fields.join('\r\n')}\r\n\r\n${body ?? ''}`)
}
