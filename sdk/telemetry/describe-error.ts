const MAX_CAUSES = 5
const MAX_WORDS = 300
const MAX_STACK = 8_192

/** Ours, but for those of the room that tells what is wrong with an event. */
const OUR_CODE = /^SMG_(?!SDK_)[A-Z_]+$/
/** Of sockets and files, and of the driver of PostgreSQL. */
const SYSTEM_CODE = /^(E[A-Z0-9]+|CONNECT\w*|CONNECTION_\w+)$/
/** SQLSTATE, without the classes whose words name values (22, 23) or are a trigger's own (P0). */
const SQL_CODE = /^(?!22|23|P0)[0-9A-Z]{5}$/

interface Link {
  readonly name: string
  readonly message: string
  readonly stack: string
  readonly code: string
  readonly cause: unknown
}

/**
 * Says why something failed, without anything of an event: only errors whose code tells that their words are harmless are
 * quoted, of the others stands their name, and of the stack only where it was.
 */
export function describeError(thrown: unknown): { why: string; code: string | null; stack: string | null } {
  const links = toLinks(thrown)
  return {
    why: links.map(toWords).join(': '),
    code: links.find(({ code }) => code !== '')?.code ?? null,
    stack: toFrames(links[0]?.stack)
  }
}

function toLinks(thrown: unknown): Link[] {
  const links: Link[] = []
  let next = thrown
  // As many at most: an error may be its own cause.
  while (next instanceof Error && links.length < MAX_CAUSES) {
    const { name, message, stack, cause, code } = next as Error & { code?: unknown }
    links.push({ name: toName(name), message: String(message), stack: String(stack), code: toCode(code), cause })
    next = cause
  }
  return links
}

function toWords({ name, message, code }: Link): string {
  const isHarmless = [OUR_CODE, SYSTEM_CODE, SQL_CODE].some(pattern => pattern.test(code))
  if (!isHarmless) return code === '' ? name : `${name} ${code}`
  return message.split('\n', 1)[0]?.slice(0, MAX_WORDS).toWellFormed() || code
}

function toName(name: unknown): string {
  return /^[\w$.]{1,100}$/.test(String(name)) ? String(name) : 'Error'
}

function toCode(code: unknown): string {
  return typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : ''
}

/** The lines that say where, without the first ones, which repeat the message. */
function toFrames(stack = ''): string | null {
  const frames = stack.split('\n').filter(line => /^\s+at /.test(line))
  return frames.length === 0 ? null : frames.join('\n').slice(0, MAX_STACK).toWellFormed()
}
