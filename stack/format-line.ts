import { styleText } from 'node:util'

const LEVELS: Readonly<Record<string, readonly [word: string, color: 'gray' | 'green' | 'yellow' | 'red']>> = {
  10: ['TRACE', 'gray'],
  20: ['DEBUG', 'gray'],
  30: ['INFO ', 'green'],
  40: ['WARN ', 'yellow'],
  50: ['ERROR', 'red'],
  60: ['FATAL', 'red']
}
const PART_WIDTH = 9

/** Gives a line of a part for the eye: time, part, level, message, fields. What is no pino line keeps its text. */
export function formatLine(part: string, line: string): string {
  const name = styleText('cyan', part.padEnd(PART_WIDTH))
  const entry = parseEntry(line)
  if (!entry) return `             ${name} ${line}`

  const { level, time, msg = '', err, pid: _pid, hostname: _hostname, name: _name, part: _part, ...fields } = entry
  const [word, color] = LEVELS[String(level)] ?? ['     ', 'gray']
  const rest = Object.entries(fields).map(([field, value]) => styleText('gray', ` ${field}=${toText(value)}`))
  return `${clock(time)} ${name} ${styleText(color, word)} ${msg}${rest.join('')}${toStack(err)}`
}

function parseEntry(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

function clock(time: unknown): string {
  const date = new Date(typeof time === 'number' || typeof time === 'string' ? time : Date.now())
  return Number.isNaN(date.getTime()) ? '            ' : `${date.toTimeString().slice(0, 8)}.${milliseconds(date)}`
}

function milliseconds(date: Date): string {
  return String(date.getMilliseconds()).padStart(3, '0')
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function toStack(err: unknown): string {
  if (typeof err !== 'object' || err === null) return ''
  const text = 'stack' in err && err.stack ? String(err.stack) : toText(err)
  return `\n${text.replace(/^/gm, '    ')}`
}
