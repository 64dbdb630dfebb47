import { useEffect, useState } from 'preact/hooks'
import { postJson, usePoll } from '../api.ts'
import { toWords } from '../dead-letter-words.ts'
import { toCount } from '../format.ts'
import { toPath } from '../list-query.ts'
import type { DeadLetterGroups } from '../records.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Checkbox, Field, TextInput } from '../ui/field.tsx'
import { Notice, Skeleton } from '../ui/notice.tsx'
import { useAction } from '../use-action.ts'

/** As the API takes it; empty members mean any. */
export interface BulkFilter {
  readonly topic?: string
  readonly stage?: string
  readonly disposition?: string
  readonly error?: string
  readonly from?: string
  readonly to?: string
}

interface BulkResult {
  readonly matched: number
  readonly redriven: number
  readonly skipped: number
  readonly reasons: readonly { stage: string; disposition: string; error: string; count: number }[]
}

const MAX_LIMIT = 10_000
const PROGRESS_MS = 1_000
const SHOWN_REASONS = 6

interface BulkProps {
  readonly filter: BulkFilter
  readonly onClose: (isChanged: boolean) => void
}

/** Redrives many dead letters: says first what would happen, then does it, then shows how far runners are. */
export function BulkRedrive({ filter, onClose }: BulkProps) {
  const [limit, setLimit] = useState('1000')
  const [overtake, setOvertake] = useState(false)
  const [done, setDone] = useState<BulkResult | null>(null)
  const action = useAction()
  const count = toLimit(limit)
  const preview = useDryRun(filter, { limit: count, overtake }, done === null)
  const most = Math.min(preview.data?.matched ?? 0, count ?? 0)

  const redrive = () =>
    action.run(async () => setDone(await post(filter, { limit: count ?? 1, overtake, dryRun: false })))

  if (done) {
    return (
      <Dialog
        title="Runners have them"
        onClose={() => onClose(true)}
        actions={<Button onClick={() => onClose(true)}>Close</Button>}
      >
        <Progress filter={filter} done={done} />
      </Dialog>
    )
  }
  return (
    <Dialog
      title="Redrive many"
      description="They go back to the function that failed, those that died first before the others."
      onClose={() => onClose(false)}
      actions={
        <>
          <Button tone="quiet" onClick={() => onClose(false)}>
            Cancel
          </Button>
          <Button tone="primary" busy={action.isBusy} disabled={most === 0} onClick={redrive}>
            {most === 0 ? 'Redrive' : `Redrive ${toCount(most)}`}
          </Button>
        </>
      }
    >
      <FilterWords filter={filter} />
      <Field label="At most" error={count === null ? `a whole number from 1 to ${toCount(MAX_LIMIT)}` : null}>
        {control => <TextInput {...control} type="number" value={limit} onInput={setLimit} />}
      </Field>
      <Checkbox label="Go ahead of older dead letters of the same key" checked={overtake} onChange={setOvertake} />
      {preview.error ? (
        <Notice tone="bad" title="What would happen is not known">
          {preview.error.message}
        </Notice>
      ) : preview.data ? (
        <Preview result={preview.data} />
      ) : (
        <Skeleton lines={2} />
      )}
      {action.error && (
        <Notice tone="bad" title="Nothing was redriven, or only a part">
          {action.error.message} Trying again goes on with the rest.
        </Notice>
      )}
    </Dialog>
  )
}

function toLimit(text: string): number | null {
  const limit = Number(text)
  return Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT ? limit : null
}

interface BulkOptions {
  readonly limit: number
  readonly overtake: boolean
  readonly dryRun: boolean
}

function post(filter: BulkFilter, options: BulkOptions): Promise<BulkResult> {
  const members = Object.entries(filter).filter(([, value]) => value !== undefined && value !== '')
  return postJson<BulkResult>('/api/dead-letters/redrive', { filter: Object.fromEntries(members), ...options })
}

/** What a redrive would do; asked again when something of it changes. */
function useDryRun(
  filter: BulkFilter,
  { limit, overtake }: { limit: number | null; overtake: boolean },
  isOn: boolean
) {
  const [state, setState] = useState<{ data?: BulkResult; error?: Error }>({})
  useEffect(() => {
    if (!isOn || limit === null) return
    let isCurrent = true
    setState({})
    post(filter, { limit, overtake, dryRun: true })
      .then(data => isCurrent && setState({ data }))
      .catch((error: Error) => isCurrent && setState({ error }))
    return () => {
      isCurrent = false
    }
  }, [JSON.stringify(filter), limit, overtake, isOn])
  return state
}

function FilterWords({ filter }: { readonly filter: BulkFilter }) {
  const { topic, stage, disposition, error, from, to } = filter
  const words = [
    topic && `of ${topic}`,
    disposition && toWords(disposition).label.toLowerCase(),
    stage && `at ${stage}`,
    error && `with ${error}`,
    from && `from ${from}`,
    to && `until ${to}`
  ].filter(Boolean)
  return (
    <p class="wrap">
      <strong>{words.length === 0 ? 'All that is dead, of every topic' : 'What is dead '}</strong>
      <bdi>{words.join(', ')}</bdi>
    </p>
  )
}

function Preview({ result: { matched, skipped, reasons } }: { readonly result: BulkResult }) {
  if (matched === 0)
    return <Notice title="Nothing matches">What is being redriven, resolved or discarded does not count.</Notice>
  return (
    <section class="stack stack--tight" aria-label="What would happen">
      <p>
        <strong class="num">{toCount(matched)}</strong> {matched === 1 ? 'matches' : 'match'}
        {skipped > 0 && (
          <>
            , <strong class="num">{toCount(skipped)}</strong> held back by an older dead letter of their key
          </>
        )}
        .
      </p>
      <dl class="definitions">
        {reasons.slice(0, SHOWN_REASONS).map(({ stage, disposition, error, count }) => (
          <div key={`${stage} ${disposition} ${error}`} class="definitions__item">
            <dt>
              <bdi>{error}</bdi> <span class="faint">· {toWords(disposition).label}</span>
            </dt>
            <dd>{toCount(count)}</dd>
          </div>
        ))}
      </dl>
      {reasons.length > SHOWN_REASONS && <p class="small faint">and {reasons.length - SHOWN_REASONS} more reasons</p>}
    </section>
  )
}

/** How many are still being redriven: a redrive that fails makes its row dead again. */
function Progress({ filter, done }: { readonly filter: BulkFilter; readonly done: BulkResult }) {
  const { topic, stage, disposition, error, from, to } = filter
  const path = toPath('/api/dead-letters/groups', { topic, stage, from, to, state: 'redriving', limit: 500 })
  const { data, staleSince } = usePoll<DeadLetterGroups>(path, PROGRESS_MS)
  const ours = data?.items.filter(
    group => (!disposition || group.disposition === disposition) && (!error || group.error.name === error)
  )
  const left = ours?.reduce((sum, { count }) => sum + count, 0) ?? done.redriven
  // More are being redriven than are counted: ours may be among the others.
  const isCounted = data?.isComplete !== false
  const finished = isCounted ? Math.max(0, done.redriven - left) : undefined

  return (
    <div class="stack stack--tight">
      {finished !== undefined && (
        <progress class="progress" max={Math.max(1, done.redriven)} value={finished} aria-label="Redriven" />
      )}
      <p role="status">
        {finished === undefined ? (
          <>
            How many of <strong class="num">{toCount(done.redriven)}</strong> are done is not known: too many are being
            redriven to count them.
          </>
        ) : (
          <>
            <strong class="num">{toCount(finished)}</strong> of <strong class="num">{toCount(done.redriven)}</strong>{' '}
            are done{staleSince !== null && ', as far as is known'}.
          </>
        )}
      </p>
      {done.skipped > 0 && (
        <p class="muted">{toCount(done.skipped)} were left out: an older dead letter of their key is still dead.</p>
      )}
      {done.matched > done.redriven + done.skipped && (
        <p class="muted">{toCount(done.matched - done.redriven - done.skipped)} more match: redrive again for them.</p>
      )}
      <p class="small faint">You may close this: runners go on. What fails again is dead again, with its new error.</p>
    </div>
  )
}
