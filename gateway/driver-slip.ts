/**
 * Says whether an uncaught error is postgres.js writing to a socket that is gone already (seen in 3.4.9, `nextWrite`):
 * the connection is closed by then, and every query on it is rejected by the driver.
 */
export function isDriverSlip(error: unknown): boolean {
  if (!(error instanceof TypeError)) return false
  const stack = error.stack ?? ''
  return stack.includes('nextWrite') && /node_modules[\\/]postgres[\\/]/.test(stack)
}
