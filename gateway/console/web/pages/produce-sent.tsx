import type { ComponentChildren } from 'preact'
import { ApiError } from '../api.ts'
import { toCount, toMs } from '../format.ts'
import { previewOf } from '../preview.ts'
import { Link, toHash } from '../router.ts'
import { Badge, type Tone } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Empty } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { Time } from '../ui/values.tsx'

/** Where an event is in Kafka, and what became of it if that was waited for. */
export interface Accepted {
  readonly id: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly outcome?:
    | { readonly state: 'settled' }
    | {
        readonly state: 'dead'
        readonly deadLetterId: string
        readonly stage: string
        readonly error: { readonly name: string; readonly message: string }
      }
}

/** An event that was sent from here. */
export interface Sent {
  readonly id: number
  readonly body: unknown
  readonly result: Accepted | Error
  /** From the send to the answer. */
  readonly ms: number
  /** Epoch in milliseconds. */
  readonly at: number
}

interface SentListProps {
  readonly sent: readonly Sent[]
  readonly isBusy: boolean
  readonly onRepeat: (body: unknown) => void
}

/** What was sent from this page, newest first. */
export function SentList({ sent, isBusy, onRepeat }: SentListProps) {
  return (
    <Panel title="Sent" description="from this page, since it was opened" flush>
      {sent.length === 0 && <Empty title="Nothing yet">What you send appears here, with what became of it.</Empty>}
      <ol class="sent" aria-live="polite">
        {sent.map(one => (
          <li key={one.id} class="sent__item">
            <SentItem sent={one} />
            <div class="row row--between">
              <span class="small faint">
                <Time value={one.at} /> · {toMs(one.ms)}
              </span>
              <Button small tone="quiet" disabled={isBusy} onClick={() => onRepeat(one.body)}>
                Send again
              </Button>
            </div>
          </li>
        ))}
      </ol>
    </Panel>
  )
}

function SentItem({ sent: { result, body } }: { readonly sent: Sent }) {
  if (result instanceof Error) return <Refused error={result} />
  const { id, topic, outcome } = result
  const message = <Link to={toHash(['messages', id], { topic })}>Open the message</Link>
  const preview = <bdi class="preview mono small muted">{previewOf(body, 120)}</bdi>
  if (outcome === undefined) {
    return (
      <Item tone="accent" state="accepted" result={result} link={message}>
        {preview}
        <span class="small muted">Kafka has it. What became of it was not waited for, or not seen in time.</span>
      </Item>
    )
  }
  if (outcome.state === 'settled') {
    return (
      <Item tone="ok" state="settled" result={result} link={message}>
        {preview}
      </Item>
    )
  }
  const { deadLetterId, stage, error } = outcome
  return (
    <Item
      tone="bad"
      state="dead letter"
      result={result}
      link={<Link to={toHash(['dead-letters', deadLetterId])}>Open the dead letter</Link>}
    >
      <span class="wrap small">
        <bdi class="failure__name">{error.name}</bdi> <bdi>{error.message}</bdi> <span class="faint">at {stage}</span>
      </span>
    </Item>
  )
}

interface ItemProps {
  readonly tone: Tone
  readonly state: string
  readonly result: Accepted
  readonly link: ComponentChildren
  readonly children: ComponentChildren
}

function Item({ tone, state, result: { partition, offset }, link, children }: ItemProps) {
  return (
    <>
      <div class="row row--between">
        <Badge tone={tone} dot>
          {state}
        </Badge>
        <span class="small faint num">
          partition {partition} · offset {toCount(offset)}
        </span>
      </div>
      {children}
      <span class="small">{link}</span>
    </>
  )
}

function Refused({ error }: { readonly error: Error }) {
  const errors = error instanceof ApiError ? (error.problem.errors ?? []) : []
  return (
    <>
      <div class="row row--between">
        <Badge tone="bad" dot>
          refused
        </Badge>
        {error instanceof ApiError && error.status > 0 && <span class="small faint num">{error.status}</span>}
      </div>
      {errors.length === 0 && <span class="wrap small">{error.message}</span>}
      <ul class="stack--tight">
        {errors.map(({ path, message }, index) => (
          <li key={index} class="wrap small">
            <code>{path || 'event'}</code> {message}
          </li>
        ))}
      </ul>
    </>
  )
}
