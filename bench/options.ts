import type { Values } from './types.ts'

/** Gives an option that is a whole number above 0; throws for anything else. */
export function toCount(values: Values, name: string): number {
  const count = Number(values[name])
  if (!Number.isSafeInteger(count) || count <= 0)
    throw new Error(`--${name} is ${values[name]}: it must be a whole number above 0`)
  return count
}

/** Gives an option that is a number above 0, finite, such as a time; throws for anything else. */
export function toNumber(values: Values, name: string): number {
  const number = Number(values[name])
  if (!(number > 0 && number < Number.POSITIVE_INFINITY))
    throw new Error(`--${name} is ${values[name]}: it must be a number above 0`)
  return number
}

/** Gives an option that is a list of such counts, parted by commas. */
export function toCounts(values: Values, name: string): number[] {
  return String(values[name])
    .split(',')
    .map(count => toCount({ [name]: count }, name))
}

/** Gives those of `known` that an option names, in their order, parted by commas there; all when it names none. Throws for others. */
export function toChosen<T extends string>(values: Values, name: string, known: readonly T[]): readonly T[] {
  const chosen = String(values[name]).split(',').filter(Boolean)
  if (!chosen.every(one => known.some(other => other === one)))
    throw new Error(`--${name} is ${values[name]}: it must be some of ${known.join(', ')}`)
  return known.filter(one => chosen.length === 0 || chosen.includes(one))
}
