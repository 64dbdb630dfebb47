import { makeEvents } from './events.ts'
import type { PlannedRequest } from './load/plan.ts'

const SINGLES = 5_000
const PATH = '/api/produce/user-activities'

/** Requests with one event each. */
export function makeSingles(): PlannedRequest[] {
  return makeEvents(SINGLES).map(({ value }) => ({ method: 'POST', path: PATH, body: value }))
}

/** Requests of the batch route with so many events each. */
export function makeBatches(size: number): PlannedRequest[] {
  const events = makeEvents(Math.max(SINGLES, 4 * size))
  return Array.from({ length: Math.floor(events.length / size) }, (_, index) => {
    const values = events.slice(index * size, (index + 1) * size).map(({ value }) => value)
    return { method: 'POST', path: `${PATH}/batch`, body: `{"events":[${values.join(',')}]}` }
  })
}
