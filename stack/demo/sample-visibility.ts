import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from './client.ts'
import type { createLatencies } from './latencies.ts'
import type { Accepted } from './sender.ts'

export interface VisibilityOptions {
  readonly client: Client
  readonly latencies: Pick<ReturnType<typeof createLatencies>, 'add'>
  /** From the end of one sample to the next at least. */
  readonly gapMs: number
  readonly onFatal: (error: unknown) => void
}

const POLL_MS = 5
const GIVE_UP_MS = 10_000

/** Builds the sampling of POST → visible: one event at a time is read back until it is there. */
export function createVisibilitySampler({ client, latencies, gapMs, onFatal }: VisibilityOptions) {
  let nextAt = 0
  let isBusy = false
  let work: Promise<void> = Promise.resolve()

  return {
    /** Takes an event as the next sample, if it is time for one. */
    offer(accepted: Accepted) {
      if (isBusy || performance.now() < nextAt) return
      isBusy = true
      work = sample(accepted)
        .catch(onFatal)
        .finally(() => {
          isBusy = false
          nextAt = performance.now() + gapMs
        })
    },
    settled: () => work
  }

  /** One that is not there within 10 s is no sample: the summary tells what is missing. */
  async function sample({ id, topic, sentAt }: Accepted) {
    while (performance.now() - sentAt < GIVE_UP_MS) {
      const path = `/api/messages/${id}?topic=${topic}`
      const { status } = await client({ method: 'GET', route: '/api/messages/{id}', path, mayBeMissing: true })
      if (status === 200) return latencies.add(performance.now() - sentAt)
      await sleep(POLL_MS)
    }
  }
}
