import type { Values } from './types.ts'

/** Gives an option that is a number above 0; throws for anything else. */
export function toCount(values: Values, name: string): number {
  const count = Number(values[name])
  if (!(count > 0)) throw new Error(`--${name} is ${values[name]}: it must be a number above 0`)
  return count
}

/** Gives an option that is a list of such numbers, parted by commas. */
export function toCounts(values: Values, name: string): number[] {
  return String(values[name])
    .split(',')
    .map(count => toCount({ [name]: count }, name))
}
