import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { type Problem, usePoll } from '../api.ts'
import { toCount, toMs } from '../format.ts'
import { toPath } from '../list-query.ts'
import { findTrace, type Message } from '../records.ts'
import { Link, toHash, useRoute } from '../router.ts'
import { Badge } from '../ui/badge.tsx'
import { LinkButton } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { HeadersTable } from '../ui/headers-table.tsx'
import { KeyText } from '../ui/key-text.tsx'
import { Moment } from '../ui/moment.tsx'
import { Empty, Failure, Skeleton } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { type Step, Steps } from '../ui/steps.tsx'
import { ValueView } from '../ui/value-view.tsx'
import { MessageRows } from './message-rows.tsx'

const BACK = { to: '#/messages', label: 'Messages' }
// A settled event never changes; one that is on its way is there in a moment.
const FOUND_MS = 600_000
const LOOKING_MS = 1_500

/** `#/messages/ID`: one settled event in full. */
export function MessagePage({ id }: { readonly id: string }) {
  const { query } = useRoute()
  const path = toPath(`/api/messages/${encodeURIComponent(id)}`, { topic: query.get('topic') })
  const [isFound, setIsFound] = useState(false)
  const poll = usePoll<Message | Problem>(path, isFound ? FOUND_MS : LOOKING_MS, { accept: [404] })
  const { data, error } = poll
  const message = data && 'topic' in data ? data : null
  if (isFound !== (message !== null)) setIsFound(message !== null)

  if (message) return <Found message={message} stale={<Stale of={poll} />} />
  return (
    <Page title="Message" description={<span class="mono wrap">{id}</span>} back={BACK}>
      <Panel>
        {error ? (
          <Failure error={error} what="this message" onRetry={poll.reload} />
        ) : data ? (
          <NotSettled />
        ) : (
          <Skeleton lines={6} />
        )}
      </Panel>
    </Page>
  )
}

function NotSettled() {
  return (
    <Empty title="No such message is settled">
      It may be on its way: this page looks again and again. If its function could not settle it, it is among the{' '}
      <Link to="#/dead-letters">dead letters</Link>.
    </Empty>
  )
}

function Found({ message, stale }: { readonly message: Message; readonly stale: ComponentChildren }) {
  const { id, topic, key } = message
  return (
    <Page
      title="Message"
      badge={
        <Badge tone="ok" dot>
          settled
        </Badge>
      }
      description={
        <span class="row">
          <span class="mono wrap">{id}</span>
          <CopyButton what="the id" text={() => id} />
          {stale}
        </span>
      }
      back={BACK}
      actions={
        <>
          {key !== null && <LinkButton to={toHash(['messages'], { topic, key })}>Same key</LinkButton>}
          <LinkButton to={toHash(['produce', topic], { message: id })}>Produce again</LinkButton>
        </>
      }
    >
      <div class="grid">
        <div class="stack col-8">
          <ValueView value={message.value} title="Value" />
          <MessageRows message={message} />
        </div>
        <div class="stack col-4">
          <Panel title="Its way">
            <Steps steps={stepsOf(message)} />
          </Panel>
          <Panel title="Headers">
            <HeadersTable headers={message.headers} />
          </Panel>
        </div>
      </div>
    </Page>
  )
}

function stepsOf(message: Message): Step[] {
  const { topic, partition, offset, key, timestamp, receivedAt, headers } = message
  const trace = findTrace(headers)
  return [
    {
      title: 'Produced',
      at: <Moment value={timestamp} />,
      details: [
        ['Key', <KeyText value={key} />],
        ['Producer', typeof headers['producer-id'] === 'string' ? <bdi>{headers['producer-id']}</bdi> : undefined],
        ['Trace', trace ? <span class="mono wrap">{trace.traceId}</span> : undefined]
      ]
    },
    {
      title: 'In Kafka',
      details: [
        ['Topic', <Link to={toHash(['topics', topic])}>{topic}</Link>],
        [
          'Partition',
          <Link to={toHash(['messages'], { topic, partition: String(partition) })}>{String(partition)}</Link>
        ],
        ['Offset', toCount(offset)]
      ]
    },
    {
      title: 'Settled',
      at: <Moment value={receivedAt} />,
      tone: 'ok',
      details: [
        ['After', toSpan(timestamp, receivedAt)],
        ['Function', <Link to={toHash(['functions', topic])}>{topic}</Link>]
      ]
    }
  ]
}

/** From the record's time, which a producer may set as it likes, to when its row was written. */
function toSpan(from: string, to: string): string {
  const ms = Date.parse(to) - Date.parse(from)
  return ms >= 0 ? toMs(ms) : 'its time is ahead of the clock'
}
