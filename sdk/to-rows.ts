import { sdkErrors } from './errors.ts'

/**
 * Makes a list of what a function with a table gave: a row, several, or nothing.
 *
 * @throws SMG_SDK_BAD_ROW
 */
export function toRows(effect: unknown): readonly Record<string, unknown>[] {
  if (effect === null || effect === undefined) return []
  const rows: readonly unknown[] = Array.isArray(effect) ? effect : [effect]
  const wrong = rows.findIndex(row => typeof row !== 'object' || row === null || Array.isArray(row))

  if (wrong !== -1) {
    const row = rows[wrong]
    throw new sdkErrors.SMG_SDK_BAD_ROW(
      Array.isArray(row) ? 'a list inside a list' : row === null ? 'null' : typeof row
    )
  }
  return rows as readonly Record<string, unknown>[]
}
