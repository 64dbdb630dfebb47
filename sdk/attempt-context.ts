import type { Logger } from 'pino'
import { sdkErrors } from './errors.ts'
import type { IdentifiedRecord } from './record.ts'
import type { Published, SettleDependencies } from './settle-record.ts'
import { traceIdOf } from './trace.ts'
import type { Context } from './types.ts'

/** What a context does its work with. */
export type ContextParts = Required<Pick<SettleDependencies, 'log' | 'shutdown' | 'toPublished' | 'onLateCall'>>

const NOTHING: readonly Published[] = Object.freeze([])

/**
 * The context of one attempt. Logger, signal and `publish` are made when a function asks for them: most never do, and
 * each of them costs more than the rest of a record.
 */
export class AttemptContext implements Context {
  readonly attempt: number
  readonly isRedrive: boolean
  readonly #record: IdentifiedRecord
  readonly #parts: ContextParts
  #published: Published[] | null = null
  #isOpen = true
  #controller: AbortController | null = null
  #onShutdown: (() => void) | null = null
  #child: Logger | null = null

  constructor(record: IdentifiedRecord, attempt: number, isRedrive: boolean, parts: ContextParts) {
    this.attempt = attempt
    this.isRedrive = isRedrive
    this.#record = record
    this.#parts = parts
  }

  get log(): Logger {
    const { topic, partition, offset } = this.#record
    if (this.#child) return this.#child
    const bindings = { topic, partition, offset, attempt: this.attempt, traceId: traceIdOf(this.#record) }
    this.#child = this.#parts.log.child(bindings)
    return this.#child
  }

  get signal(): AbortSignal {
    return this.#getController().signal
  }

  get publish(): Context['publish'] {
    return (topic, event) => {
      if (!this.#isOpen) {
        this.#parts.onLateCall()
        throw new sdkErrors.SMG_SDK_SETTLED()
      }
      this.#published ??= []
      this.#published.push(this.#parts.toPublished(topic, event))
    }
  }

  // By hand, and not AbortSignal.any: on Node 20 that leaves an entry in `shutdown` for every attempt.
  #getController(): AbortController {
    if (this.#controller) return this.#controller
    const { shutdown } = this.#parts
    const controller = new AbortController()
    this.#controller = controller
    if (shutdown.aborted) controller.abort(shutdown.reason)
    else {
      this.#onShutdown = () => controller.abort(shutdown.reason)
      shutdown.addEventListener('abort', this.#onShutdown, { once: true })
    }
    return controller
  }

  /** Aborts the signal; made here if need be: a function that asks for it when it is late must find it aborted. */
  static abort(context: AttemptContext, reason: Error) {
    context.#getController().abort(reason)
  }

  /** Revokes `publish` and gives what was published. */
  static end(context: AttemptContext): readonly Published[] {
    context.#isOpen = false
    if (context.#onShutdown) context.#parts.shutdown.removeEventListener('abort', context.#onShutdown)
    return context.#published ?? NOTHING
  }
}

/**
 * The same with members of its own, for a function that names its second parameter: it may spread, wrap or extend what it
 * is given. It costs as much as a tenth of a record, and few functions want it.
 */
export function toOwn(context: AttemptContext): Context {
  const { attempt, isRedrive, publish } = context
  return {
    attempt,
    isRedrive,
    publish,
    get log() {
      return context.log
    },
    get signal() {
      return context.signal
    }
  }
}

// Not methods: a function would find them on its context.
export const { abort: abortAttempt, end: endAttempt } = AttemptContext
