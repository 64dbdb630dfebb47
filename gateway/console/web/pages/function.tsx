import { useState } from 'preact/hooks'
import { usePoll } from '../api.ts'
import { FunctionOptions } from '../parts/function-options.tsx'
import { FunctionRates } from '../parts/function-rates.tsx'
import { FunctionState } from '../parts/function-state.tsx'
import { FunctionSwitch } from '../parts/function-switch.tsx'
import { LastErrors } from '../parts/last-errors.tsx'
import { PositionDialog } from '../parts/position-dialog.tsx'
import { SchemaView } from '../parts/schema-view.tsx'
import { toHash } from '../router.ts'
import type { FunctionShape, Topic } from '../shapes.ts'
import { Button, LinkButton } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'
import { Failure, Notice, Skeleton } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { Time } from '../ui/values.tsx'

/** One function: how it is, what it takes, and what can be done with it. */
export function FunctionPage({ topic: name }: { readonly topic: string }) {
  const path = encodeURIComponent(name)
  const shape = usePoll<FunctionShape>(`/api/functions/${path}`, 3_000)
  const topic = usePoll<Topic>(`/api/topics/${path}`, 3_000)
  const [isMoving, setIsMoving] = useState(false)

  return (
    <Page
      title={name}
      badge={shape.data && <FunctionState of={shape.data} />}
      back={{ to: '#/topics', label: 'Topics' }}
      description={shape.data && KINDS[shape.data.kind]}
      actions={
        <>
          <Stale of={shape.staleSince === null ? topic : shape} />
          <LinkButton to={toHash(['topics', name])}>Topic</LinkButton>
          <LinkButton to={toHash(['messages'], { topic: name })}>Messages</LinkButton>
          <LinkButton to={toHash(['produce', name])}>Produce</LinkButton>
          {shape.data && (
            <Button onClick={() => setIsMoving(true)}>
              <Icon name="rewind" />
              Move position
            </Button>
          )}
          {shape.data && <FunctionSwitch of={shape.data} onDone={shape.reload} />}
        </>
      }
    >
      {shape.data ? (
        <>
          <StateNotice of={shape.data} />
          <FunctionRates shape={shape} topic={topic} />
          <div class="grid">
            <div class="col-8 stack">
              <SchemaView schema={shape.data.schema} />
              <LastErrors of={shape.data} />
            </div>
            <div class="col-4">
              <FunctionOptions of={shape.data} />
            </div>
          </div>
          {isMoving && <PositionDialog topic={name} reading={topic.data} onClose={() => setIsMoving(false)} />}
        </>
      ) : (
        <Panel>
          {shape.error ? (
            <Failure error={shape.error} what={`function ${name}`} onRetry={() => void shape.reload()} />
          ) : (
            <Skeleton lines={6} />
          )}
        </Panel>
      )}
    </Page>
  )
}

const KINDS: Readonly<Record<FunctionShape['kind'], string>> = {
  rows: 'Makes rows of its table, written in batches.',
  transaction: 'Works in a transaction of its own, record by record.',
  inbox: 'Has no effect of its own: its events are messages.'
}

function StateNotice({ of: { state, reason, since } }: { readonly of: FunctionShape }) {
  if (state === 'running') return null
  return (
    <Notice tone={state === 'stopped' ? 'bad' : 'warn'} title={`It is ${state}. Nothing is lost: its records wait.`}>
      {reason}
      {since && (
        <>
          {reason ? ', since ' : 'Since '}
          <Time value={since} />
        </>
      )}
    </Notice>
  )
}
