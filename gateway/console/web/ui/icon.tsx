const PATHS = {
  overview: 'M2.5 9.5 5.5 6l2.5 2.5L13.5 3M2.5 13.5h11',
  topics: 'M2.5 4h11M2.5 8h11M2.5 12h7',
  messages: 'M2.5 3.5h11v7h-6l-3 2.5v-2.5h-2z',
  deadLetters: 'M2.5 4.5h11v8h-11zM2.5 5l5.5 4 5.5-4',
  produce: 'M8 13V3M4 7l4-4 4 4',
  alerts: 'M4.5 11V7.2a3.5 3.5 0 0 1 7 0V11l1 1h-9zM7 14h2',
  audit: 'M4 2.5h8v11H4zM6 5.5h4M6 8h4M6 10.5h2',
  check: 'M3 8.5 6.5 12 13 4.5',
  info: 'M8 7.5v4M8 4.6v.1M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12z',
  warning: 'M8 2.5 14.5 13.5h-13zM8 6.5v3M8 11.6v.1',
  close: 'M4 4l8 8M12 4l-8 8',
  chevron: 'M6 3.5 10.5 8 6 12.5',
  docs: 'M3 3h4.2c.5 0 .8.3.8.8V13c0-.6-.4-1-1-1H3zM13 3H8.8c-.5 0-.8.3-.8.8V13c0-.6.4-1 1-1h4z',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3.2v9.6L12.5 8z',
  rewind: 'M3 8a5 5 0 1 0 1.6-3.7M3 3v2.5h2.5',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6 14 14',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  key: 'M10.5 9A3.5 3.5 0 1 0 7.3 6.9L2.5 11.7v1.8h2v-1.5H6v-1.5h1.4l1-1c.6.3 1.3.5 2.1.5zM11 5v.1'
} as const

export type IconName = keyof typeof PATHS

/** A line drawing beside words; never the only thing that says something. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}
