import type { Logger } from 'pino'
import type { Consumer, ConsumerEvents } from '../kafka/types.ts'
import { createPatience, logOnce } from './patience.ts'

/** The consumer of an attachment: whatever ends one, a new one takes its place. */
export interface ConsumerKeeper {
  /** Null before the first. */
  current(): Consumer | null
  /** Ends the one there is, and with that makes a new one. */
  rebuild(reason: Error): void
  /** Resolves after `signal` aborts. */
  run(): Promise<void>
}

export interface KeepConsumerDependencies {
  readonly createConsumer: (events: ConsumerEvents) => Consumer
  readonly events: Omit<ConsumerEvents, 'onCrash'>
  /** One has ended, and is stopped after this. */
  readonly onEnded: () => void
  readonly signal: AbortSignal
  readonly log: Logger
}

/** Builds the keeper of a consumer; there is none before `run`. */
export function createConsumerKeeper(dependencies: KeepConsumerDependencies): ConsumerKeeper {
  const { createConsumer, events, onEnded, signal, log } = dependencies
  let consumer: Consumer | null = null
  let end: (reason: Error) => void = () => undefined

  async function runOne(onJoined: () => void): Promise<Error> {
    const crash = new Promise<Error>(resolve => {
      end = resolve
      consumer = createConsumer({ ...events, onCrash: resolve })
    })
    const ended = (consumer as Consumer | null)?.run().then(
      () => {
        onJoined()
        return crash
      },
      (reason: Error) => reason
    )
    return Promise.race([crash, ended ?? crash, aborted(signal)])
  }

  return {
    current: () => consumer,
    rebuild: reason => end(reason),
    async run() {
      const patience = createPatience()
      while (!signal.aborted) {
        const error = await runOne(() => patience.reset())
        if (signal.aborted) return
        logOnce(log, patience, error, 'the consumer ended and is made anew')
        onEnded()
        await consumer?.stop()
        await patience.wait(signal)
      }
    }
  }
}

function aborted(signal: AbortSignal): Promise<Error> {
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }))
}
