import { describeError } from './describe-error.ts'
import type { ErrorLine } from './tap-errors.ts'
import { TELEMETRY_TOPICS } from './topics.ts'

/** An event of `error-logs`. */
interface ErrorEvent {
  readonly service: string
  readonly level: ErrorLine['level']
  readonly message: string
  readonly stack?: string
  /** `count`: so many lines said the same. */
  readonly context: Readonly<Record<string, unknown>>
  readonly timestamp: string
}

interface Options {
  /** What all of them are filed under. */
  readonly service: string
  /** The process among others of its kind. */
  readonly source: string
}

const MAX_KINDS = 20
const MAX_MESSAGE = 1_000
/** Members of a line that name a place and no content. */
const SHOWN = ['topic', 'group', 'partition', 'offset', 'sequence', 'lost', 'reqId'] as const

/**
 * Builds the collecting of a process's own errors between two reports: one event for all lines that say the same, at
 * most 20 events. Nothing is told of what concerns telemetry itself, and nothing that a function said: its words may hold
 * anything, and its lines would never end.
 */
export function createErrorEvents({ service, source }: Options) {
  let kinds = new Map<string, { readonly line: ErrorLine; count: number }>()
  let lines = 0

  return {
    add(line: ErrorLine): void {
      const { topic, attempt, err } = line.members
      if (attempt !== undefined || TELEMETRY_TOPICS.has(String(topic))) return
      lines += 1
      const kind = [line.level, line.message, topic, (err as { code?: unknown } | undefined)?.code].join(' ')
      const known = kinds.get(kind)
      if (known) known.count += 1
      else if (kinds.size < MAX_KINDS) kinds.set(kind, { line, count: 1 })
    },

    /** How many lines there were since the last `take`, those without room included. */
    count: () => lines,

    /** Gives the events since the last call, and forgets them. */
    take(): ErrorEvent[] {
      const taken = [...kinds.values()]
      kinds = new Map()
      lines = 0
      return taken.map(({ line, count }) => toEvent(line, count))
    }
  }

  function toEvent({ level, message, members, timeMs }: ErrorLine, count: number): ErrorEvent {
    const { why, code, stack } = describeError(members.err)
    // Why a function gave its records up is in its own words.
    const words = typeof members.reason === 'string' ? message.replaceAll(members.reason, '…') : message
    const places = SHOWN.filter(name => isPlain(members[name])).map(name => [name, members[name]])
    return {
      service,
      level,
      message: (why ? `${words}: ${why}` : words).slice(0, MAX_MESSAGE).toWellFormed() || level,
      ...(stack !== null && { stack }),
      context: { source, count, ...(code !== null && { code }), ...Object.fromEntries(places) },
      timestamp: new Date(timeMs).toISOString()
    }
  }
}

export type ErrorEvents = ReturnType<typeof createErrorEvents>

function isPlain(value: unknown): boolean {
  return typeof value === 'number' || (typeof value === 'string' && value.length <= 256)
}
