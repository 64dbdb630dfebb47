const ORIGIN_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Milliseconds of a clock that nobody sets, the same in all processes of this machine: one may subtract another's time. */
export function machineMs(): number {
  return ORIGIN_MS + performance.now()
}
