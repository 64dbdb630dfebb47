import { MAX_DEPTH } from '../sdk/parse-json.ts'

/**
 * Writes what `JSON.parse` read, as equal in value as can be: -0 stays -0, what was beyond a double stays beyond it, and
 * what is nested too deeply stays too deep without being followed.
 */
export function toJsonText(value: unknown, depth = 0): string {
  if (typeof value === 'number')
    return Object.is(value, -0) ? '-0' : Number.isFinite(value) ? `${value}` : `${Math.sign(value)}e999`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (depth > MAX_DEPTH) return '[]'
  if (Array.isArray(value)) return `[${value.map(item => toJsonText(item, depth + 1)).join(',')}]`

  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}:${toJsonText(member, depth + 1)}`
  )
  return `{${members.join(',')}}`
}
