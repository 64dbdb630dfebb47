import { useEffect, useMemo } from 'preact/hooks'
import { toCount } from '../format.ts'
import { toPath, toRange } from '../list-query.ts'
import { previewOf } from '../preview.ts'
import { type Message, type MessageRow, toRow } from '../records.ts'
import { Link, toHash, useRoute } from '../router.ts'
import { idOf } from '../tail.ts'
import { Button, LinkButton } from '../ui/button.tsx'
import { Filters } from '../ui/filters.tsx'
import { Icon } from '../ui/icon.tsx'
import { Moment } from '../ui/moment.tsx'
import { Empty, Failure, Notice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Panel } from '../ui/panel.tsx'
import { ListPages, RECORD_COLUMNS } from '../ui/record-list.tsx'
import { Stale } from '../ui/stale.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { useList } from '../use-list.ts'
import { type Tail, useTail } from '../use-tail.ts'
import { MessageFilters } from './messages-filters.tsx'

const PAGE_ROWS = 50
// While the stream runs the list only fills what it may have missed; without it the list is what there is.
const LIVE_MS = 30_000
const LIST_MS = 5_000

const toMessageRow = (message: Message): MessageRow => toRow(message, previewOf)

/** `#/messages`: settled events, newest first, and those that arrive. */
export function MessagesPage() {
  const { query } = useRoute()
  const cursor = query.get('cursor') ?? ''
  const filter = {
    topic: query.get('topic') ?? '',
    key: query.get('key') ?? '',
    partition: query.get('partition') ?? ''
  }
  // What is older, or over, does not change any more.
  const isLive = cursor === '' && !query.get('to') && !query.get('from')
  // A span begins when it is chosen: it does not move under what is listed.
  const range = useMemo(() => toRange(query, Date.now()), [query.toString()])
  const path = toPath('/api/messages', { ...filter, ...range, cursor, limit: PAGE_ROWS })
  const tail = useTail(filter, { isLive, listPath: path })
  const isStreaming = isLive && tail.state === 'open'
  const list = useList(path, isStreaming ? LIVE_MS : LIST_MS, toMessageRow)
  const { data, error, isPrevious } = list

  useEffect(() => {
    if (isLive && data && !isPrevious) tail.add(data.rows)
  }, [isLive, data, isPrevious, tail.add])

  const rows = isLive && tail.rows.length > 0 ? tail.rows : data?.rows
  return (
    <Page
      title="Messages"
      description="Events that were settled, newest first"
      actions={isLive && <LiveButton tail={tail} />}
    >
      <Filters isFiltered={query.size > 0}>
        <MessageFilters query={query} />
      </Filters>
      {isLive && <TailNotices tail={tail} />}
      <Panel
        flush
        title={cursor ? 'Older messages' : isLive ? 'Latest' : 'Messages'}
        actions={
          <>
            <Stale of={list} />
            {isLive && (tail.skipped > 0 || !tail.isCounted) && (
              <span class="small faint" title="They came faster than they can be shown; the list has them all.">
                {tail.isCounted ? toCount(tail.skipped) : 'some'} not shown
              </span>
            )}
          </>
        }
      >
        {error && rows === undefined ? (
          <Failure error={error} what="messages" onRetry={list.reload} />
        ) : (
          <Table
            label="Messages"
            columns={COLUMNS}
            rows={rows}
            rowKey={idOf}
            rowHref={({ id, topic }) => toHash(['messages', id], { topic })}
            empty={<NoMessages query={query} />}
          />
        )}
      </Panel>
      <ListPages page="messages" query={query} next={data?.nextCursor ?? null} />
    </Page>
  )
}

const COLUMNS: readonly Column<MessageRow>[] = [
  ...RECORD_COLUMNS,
  { header: 'Value', cell: ({ preview }) => <bdi class="preview">{preview}</bdi>, grow: true, mono: true },
  { header: 'Partition', cell: ({ partition }) => partition, align: 'end', minor: true },
  { header: 'Offset', cell: ({ offset }) => toCount(offset), align: 'end', minor: true }
]

function LiveButton({ tail }: { readonly tail: Tail }) {
  const { isPaused, held, state, awaySince } = tail
  const isOn = state === 'open' && awaySince === null
  return (
    <>
      {isPaused && held > 0 && <span class="small muted">{toCount(held)} new</span>}
      {!isPaused && (
        <span class={`live small muted ${isOn ? '' : 'live--off'}`} role="status">
          <span class="live__dot" aria-hidden="true" />
          {isOn ? 'Live' : awaySince === null ? 'Every 5 s' : 'Waiting'}
        </span>
      )}
      <Button pressed={isPaused} onClick={isPaused ? tail.resume : tail.pause}>
        <Icon name={isPaused ? 'play' : 'pause'} />
        {isPaused ? 'Go on' : 'Pause'}
      </Button>
    </>
  )
}

function TailNotices({ tail }: { readonly tail: Tail }) {
  if (tail.awaySince !== null) {
    return (
      <Notice tone="warn" title="PostgreSQL is away">
        Nothing new is read since <Moment value={new Date(tail.awaySince).toISOString()} />. What is shown is the last
        that was known; new messages appear by themselves when it is back.
      </Notice>
    )
  }
  return null
}

function NoMessages({ query }: { readonly query: URLSearchParams }) {
  const topic = query.get('topic')
  if (query.size > 0) {
    return (
      <Empty
        title="No message matches"
        actions={
          <LinkButton to="#/messages" small>
            Clear the filters
          </LinkButton>
        }
      >
        A message is listed as soon as its function has settled it. What a function could not settle is among the{' '}
        <Link to={toHash(['dead-letters'], { topic: topic ?? undefined })}>dead letters</Link>.
      </Empty>
    )
  }
  return (
    <Empty
      title="No messages yet"
      actions={
        <LinkButton to="#/produce" small tone="primary">
          Produce the first
        </LinkButton>
      }
    >
      They appear here the moment a function has settled them.
    </Empty>
  )
}
