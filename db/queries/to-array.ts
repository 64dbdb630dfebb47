/** An array as PostgreSQL's text of it, of values without commas: the driver knows no array types before it asked for them. */
export function toArray(values: readonly (string | number)[]): string {
  return `{${values.join(',')}}`
}
