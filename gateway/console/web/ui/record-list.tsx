import { toHash } from '../router.ts'
import { Badge } from './badge.tsx'
import { LinkButton } from './button.tsx'
import { KeyText } from './key-text.tsx'
import { Moment } from './moment.tsx'

interface RecordRow {
  readonly timestamp: string
  readonly topic: string
  readonly key: string | null
}

/** What a list of records begins with, be they settled or dead. */
export const RECORD_COLUMNS = [
  { header: 'Time', cell: ({ timestamp }: RecordRow) => <Moment value={timestamp} /> },
  { header: 'Topic', cell: ({ topic }: RecordRow) => <Badge>{topic}</Badge> },
  {
    header: 'Key',
    cell: ({ key }: RecordRow) => (
      <span class="record-key">
        <KeyText value={key} />
      </span>
    )
  }
] as const

interface ListPagesProps {
  readonly page: 'messages' | 'dead-letters'
  readonly query: URLSearchParams
  readonly next: string | null
}

/** The ways to newer and older pages; each is an address, so that the browser's own buttons go there too. */
export function ListPages({ page, query, next }: ListPagesProps) {
  const cursor = query.get('cursor')
  if (!cursor && !next) return null
  const to = (place: string) => toHash([page], { ...Object.fromEntries(query), cursor: place })
  return (
    <nav class="row row--between" aria-label="Pages">
      {cursor ? <LinkButton to={to('')}>Newest</LinkButton> : <span />}
      {next && <LinkButton to={to(next)}>Older</LinkButton>}
    </nav>
  )
}
