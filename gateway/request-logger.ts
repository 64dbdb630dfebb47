import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import { findTraceId } from '../sdk/trace.ts'

type Bindings = Parameters<FastifyBaseLogger['child']>[0]

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** One a request: a class, so that its methods are made once. */
class RequestLogger {
  readonly #parent: FastifyBaseLogger
  readonly #bindings: Bindings
  readonly #traceparent: unknown
  #own: FastifyBaseLogger | undefined

  constructor(parent: FastifyBaseLogger, bindings: Bindings, traceparent: unknown) {
    this.#parent = parent
    this.#bindings = bindings
    this.#traceparent = traceparent
  }

  get own(): FastifyBaseLogger {
    this.#own ??= this.#parent.child({ ...this.#bindings, traceId: findTraceId(this.#traceparent) })
    return this.#own
  }

  get level(): string {
    return this.#parent.level
  }

  child(...parameters: Parameters<FastifyBaseLogger['child']>): FastifyBaseLogger {
    return this.own.child(...parameters)
  }
}

for (const level of LEVELS) {
  Object.defineProperty(RequestLogger.prototype, level, {
    value(this: RequestLogger, ...line: Parameters<FastifyBaseLogger['info']>) {
      this.own[level](...line)
    }
  })
}

/**
 * Gives the logger of a request: a child of the app's, which is made when its first line is written. Most requests have no
 * line but the one at their end, and that names its request and its trace by itself.
 */
export function createRequestLogger(
  parent: FastifyBaseLogger,
  bindings: Bindings,
  _options?: unknown,
  request?: Pick<IncomingMessage, 'headers'>
): FastifyBaseLogger {
  return new RequestLogger(parent, bindings, request?.headers.traceparent) as unknown as FastifyBaseLogger
}
