const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3
})
const day = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short' })

/** A time to the millisecond by the reader's clock, with its day unless that is today: for what is compared by eye. */
export function Moment({ value }: { readonly value: string }) {
  const date = new Date(value)
  if (Number.isNaN(date.getTime())) return <bdi>{value}</bdi>
  const isToday = day.format(date) === day.format(new Date())
  return (
    <time class="num" dateTime={value} title={value}>
      {!isToday && <span class="faint">{day.format(date)} </span>}
      {clock.format(date)}
    </time>
  )
}
