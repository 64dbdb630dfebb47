import { type Headers, toPairs } from '../records.ts'
import { Text } from './json-view.tsx'

/** All headers of a record, in order; names may repeat. */
export function HeadersTable({ headers }: { readonly headers: Headers }) {
  const pairs = toPairs(headers)
  if (pairs.length === 0) return <p class="faint">It has no headers.</p>
  return (
    <dl class="definitions">
      {pairs.map(([name, value], index) => (
        <div key={index} class="definitions__item">
          <dt class="wrap">
            <bdi class="mono">{name}</bdi>
          </dt>
          <dd class="mono">{value === null ? <span class="faint">null</span> : <Text text={value} />}</dd>
        </div>
      ))}
    </dl>
  )
}
