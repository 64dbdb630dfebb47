const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 })
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** 12,345 */
export function toCount(value: number | string | bigint): string {
  const number = typeof value === 'string' ? BigInt(value) : value
  return counts.format(number)
}

/** 12.3K: for axes and narrow places. */
export function toCompact(value: number): string {
  return compact.format(value)
}

/** With as many digits as help: 0.04, 3.2, 48, 5,120. */
export function toRate(value: number): string {
  if (value === 0) return '0'
  if (Number.isInteger(value)) return counts.format(value)
  if (value < 0.01) return '<0.01'
  if (value < 1) return value.toFixed(2)
  return value < 10 ? value.toFixed(1) : counts.format(value)
}

/** In powers of 1000, as disks are sold: 1.5 MB. */
export function toBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  const value = bytes / 1000 ** power
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`
}

/** 0.4 ms, 12 ms, 1.2 s */
export function toMs(ms: number): string {
  if (ms === 0) return '0 ms'
  if (ms >= 10_000) return toDuration(ms / 1000)
  if (ms >= 1_000) return `${(ms / 1000).toFixed(1)} s`
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
}

/** The two greatest units: 12 s, 3 min 20 s, 5 h 2 min, 4 d 1 h. */
export function toDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole === 0 && seconds > 0) return '<1 s'
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3_600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's']
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  if (first === -1) return '0 s'
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}

/** 4.2 % of a ratio of 0.042. */
export function toPercent(ratio: number): string {
  const percent = ratio * 100
  if (percent === 0) return '0 %'
  return `${percent < 10 ? percent.toFixed(percent < 0.1 ? 2 : 1) : Math.round(percent)} %`
}

/** now, 12 s ago, 3 min ago, in 5 min; the greatest unit only. */
export function toRelative(atMs: number, nowMs: number): string {
  const seconds = Math.round((nowMs - atMs) / 1000)
  if (Math.abs(seconds) < 3) return 'now'
  const words = toDuration(Math.abs(seconds)).split(' ').slice(0, 2).join(' ')
  return seconds > 0 ? `${words} ago` : `in ${words}`
}

/** A value of an alert in its unit; `ratio`, `seconds`, `ms`, `bytes`, or a word that stands behind the number. */
export function toUnit(value: number, unit: string): string {
  if (unit === 'ratio') return toPercent(value)
  if (unit === 'seconds' || unit === 's') return toDuration(value)
  if (unit === 'ms') return toMs(value)
  if (unit === 'bytes') return toBytes(value)
  return unit === '' || unit === 'boolean' ? toRate(value) : `${toRate(value)} ${unit}`
}
