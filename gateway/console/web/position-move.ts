/**
 * True when a position moves back, or stays: records are read again. Without a position a runner begins at the oldest
 * record, so that wherever it is moved to passes over what lies before.
 */
export function isBack({ from, to }: { readonly from: string | null; readonly to: string }): boolean {
  return from !== null && BigInt(to) <= BigInt(from)
}
