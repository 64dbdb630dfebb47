import { alignColumns } from '../report.ts'
import type { ProfileSummary, SelfTime } from './read-profile.ts'

/** Tables for a terminal: where the time went, and the functions that took most of it. */
export function toProfileText(
  { busyMs, functions, parts }: ProfileSummary,
  { file, top }: { readonly file: string; readonly top: number }
): string {
  const toLine = ({ name, part, selfMs }: SelfTime) => [selfMs.toFixed(0), toShare(selfMs), part, name]
  const partLines = parts.map(({ name, selfMs }) => [selfMs.toFixed(0), toShare(selfMs), name])
  return [
    `${(busyMs / 1000).toFixed(1)} s busy, by what the time belongs to:`,
    alignColumns([['self ms', '%', 'part'], ...partLines]),
    '',
    `The ${top} functions with the longest time of their own:`,
    alignColumns([['self ms', '%', 'part', 'function'], ...functions.slice(0, top).map(toLine)]),
    '',
    file,
    "Open it in Chrome's DevTools (Performance, Load profile) or in VS Code."
  ].join('\n')

  function toShare(ms: number): string {
    return ((ms / busyMs) * 100).toFixed(1)
  }
}
