import { useState } from 'preact/hooks'
import { deleteJson, usePoll } from '../api.ts'
import { STATE_TONES, toWords } from '../dead-letter-words.ts'
import { toCount } from '../format.ts'
import { type DeadLetter, findTrace } from '../records.ts'
import { Link, toHash } from '../router.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { Definitions } from '../ui/definitions.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { HeadersTable } from '../ui/headers-table.tsx'
import { Text } from '../ui/json-view.tsx'
import { KeyText } from '../ui/key-text.tsx'
import { Moment } from '../ui/moment.tsx'
import { Failure, Notice, Skeleton } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Panel } from '../ui/panel.tsx'
import { ScrollRegion } from '../ui/scroll-region.tsx'
import { Stale } from '../ui/stale.tsx'
import { toast } from '../ui/toast.tsx'
import { ValueView } from '../ui/value-view.tsx'
import { useAction } from '../use-action.ts'
import { DeadLetterActions } from './dead-letter-actions.tsx'

const BACK = { to: '#/dead-letters', label: 'Dead letters' }
const RESTING_MS = 10_000
const MOVING_MS = 1_000

/** `#/dead-letters/ID`: one record that could not be settled, whole, with what can be done about it. */
export function DeadLetterPage({ id }: { readonly id: string }) {
  const [isMoving, setIsMoving] = useState(false)
  const poll = usePoll<DeadLetter>(`/api/dead-letters/${encodeURIComponent(id)}`, isMoving ? MOVING_MS : RESTING_MS)
  const { data: letter, error, reload } = poll
  const redriving = letter?.state === 'redriving'
  if (letter && isMoving !== redriving) setIsMoving(redriving)

  if (!letter) {
    return (
      <Page title="Dead letter" description={<span class="mono wrap">{id}</span>} back={BACK}>
        <Panel>
          {error ? <Failure error={error} what="dead letter of this id" onRetry={reload} /> : <Skeleton lines={6} />}
        </Panel>
      </Page>
    )
  }
  return (
    <Page
      title="Dead letter"
      badge={
        <Badge tone={STATE_TONES[letter.state]} dot>
          {letter.state}
        </Badge>
      }
      description={
        <span class="row">
          <Badge>{letter.topic}</Badge>
          <span class="mono wrap">{id}</span>
          <CopyButton what="the id" text={() => id} />
          <Stale of={poll} />
        </span>
      }
      back={BACK}
      actions={<DiscardButton letter={letter} onDone={reload} />}
    >
      <StateNotice letter={letter} />
      <div class="grid">
        <div class="stack col-8">
          <WhyPanel letter={letter} />
          <DeadLetterActions letter={letter} onDone={reload} />
          <ValueView title="Value" value={letter.value} base64={letter.valueBase64} />
        </div>
        <div class="stack col-4">
          <Panel title="Record">
            <Definitions items={recordOf(letter)} />
          </Panel>
          <Panel title="Headers">
            <HeadersTable headers={letter.headers} />
          </Panel>
        </div>
      </div>
    </Page>
  )
}

function StateNotice({ letter: { state, resolvedAt, topic, eventId } }: { readonly letter: DeadLetter }) {
  if (state === 'redriving')
    return (
      <Notice tone="accent" title="Runners have it">
        This page follows what becomes of it.
      </Notice>
    )
  if (state === 'dead') return null
  if (state === 'discarded') {
    return (
      <Notice title="It is given up">Discarded {resolvedAt && <Moment value={resolvedAt} />}. Its row stays.</Notice>
    )
  }
  return (
    <Notice
      tone="ok"
      title="It is resolved"
      actions={<Link to={toHash(['messages', eventId], { topic })}>Open the message</Link>}
    >
      Its effect was written {resolvedAt && <Moment value={resolvedAt} />}.
    </Notice>
  )
}

function WhyPanel({ letter: { error, stage, disposition, attempts } }: { readonly letter: DeadLetter }) {
  const [isOpen, setIsOpen] = useState(false)
  const { label, help } = toWords(disposition)
  return (
    <Panel title="Why">
      <div class="stack stack--tight">
        <p class="failure">
          <bdi class="failure__name">{error.name}</bdi>
          <span class="wrap" dir="auto">
            <Text text={error.message} />
          </span>
        </p>
        <p class="muted">
          <strong>{label}</strong> at <code>{stage}</code>
          {attempts > 0 && ` after ${toCount(attempts)} ${attempts === 1 ? 'attempt' : 'attempts'}`}. {help}
        </p>
        {error.stack && (
          <div class="outdent">
            <Button small tone="quiet" expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
              {isOpen ? 'Hide the stack' : 'Show the stack'}
            </Button>
            {isOpen && (
              <ScrollRegion class="code value__text" label="Stack">
                <Text text={error.stack} />
              </ScrollRegion>
            )}
          </div>
        )}
      </div>
    </Panel>
  )
}

function recordOf(letter: DeadLetter) {
  const { topic, group, partition, offset, key, timestamp, createdAt, resolvedAt, eventId, headers } = letter
  const trace = findTrace(headers)
  return [
    ['Key', <KeyText value={key} />],
    ['Topic', <Link to={toHash(['topics', topic])}>{topic}</Link>],
    ['Partition', String(partition)],
    ['Offset', toCount(offset)],
    ['Group', <bdi>{group}</bdi>],
    ['Function', <Link to={toHash(['functions', topic])}>{topic}</Link>],
    ['Produced', <Moment value={timestamp} />],
    ['Died', <Moment value={createdAt} />],
    ['Ended', resolvedAt === null ? undefined : <Moment value={resolvedAt} />],
    ['Event', <span class="mono wrap">{eventId}</span>],
    ['Trace', trace ? <span class="mono wrap">{trace.traceId}</span> : undefined]
  ] as const
}

/** Discards after a question: nobody runs it again. */
function DiscardButton({ letter, onDone }: { readonly letter: DeadLetter; readonly onDone: () => Promise<void> }) {
  const [isAsking, setIsAsking] = useState(false)
  const action = useAction()
  if (letter.state !== 'dead') return null

  const discard = () =>
    action.run(async () => {
      await deleteJson(`/api/dead-letters/${letter.id}`)
      toast('Discarded')
      setIsAsking(false)
      await onDone()
    })
  return (
    <>
      <Button tone="danger" onClick={() => setIsAsking(true)}>
        Discard…
      </Button>
      {isAsking && (
        <Dialog
          title="Discard this dead letter?"
          description="It is never run again, and its effect never comes. What waits behind it in its key goes on. The row stays, with who did it and when."
          onClose={() => setIsAsking(false)}
          actions={
            <>
              <Button tone="quiet" onClick={() => setIsAsking(false)}>
                Keep it
              </Button>
              <Button tone="danger" busy={action.isBusy} onClick={discard}>
                Discard
              </Button>
            </>
          }
        >
          {action.error && (
            <Notice tone="bad" title="It was not discarded">
              {action.error.message}
            </Notice>
          )}
        </Dialog>
      )}
    </>
  )
}
