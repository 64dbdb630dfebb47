import type { SendEvents } from '../../sdk/telemetry/telemetry.ts'
import type { Producing } from '../produce.ts'

/** Builds the sending of events that come from the gateway itself. */
export function createEventSender(offer: Producing['offer']): SendEvents {
  return async (definition, events, signal) => {
    const valid = events.map(event => ({ event, value: Buffer.from(JSON.stringify(event)) }))
    const { outcomes } = await offer(definition, valid, { signal })
    await outcomes
  }
}
