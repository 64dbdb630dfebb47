import { useEffect, useState } from 'preact/hooks'
import { getJson } from '../api.ts'
import { toPath } from '../list-query.ts'
import type { Producible } from '../producible.ts'
import type { Message } from '../records.ts'
import { go, Link, toHash, useRoute } from '../router.ts'
import { Field, Select } from '../ui/field.tsx'
import { Empty, Failure, Notice, Skeleton } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Panel } from '../ui/panel.tsx'
import { useProducible } from '../use-producible.ts'
import { Producer } from './produce-event.tsx'

/** `#/produce/TOPIC`: sends events by hand, with a form made of the function's schema. */
export function ProducePage({ topic }: { readonly topic: string | null }) {
  const { data, error, isLoading, reload } = useProducible()
  const functions = data ?? []
  const chosen = topic === null ? functions[0] : functions.find(one => one.topic === topic)

  return (
    <Page
      title="Produce"
      description="Sends an event as any client does, and waits for what becomes of it"
      actions={
        functions.length > 0 && (
          <Field label="Topic" hideLabel>
            {control => (
              <Select
                {...control}
                options={functions.map(one => one.topic)}
                value={chosen?.topic ?? ''}
                onChange={name => go(toHash(['produce', name]))}
              />
            )}
          </Field>
        )
      }
    >
      {chosen ? (
        <Prepared key={chosen.topic} definition={chosen} />
      ) : (
        <Panel>
          {error && !data && !isLoading ? (
            <Failure error={error} what="functions" onRetry={reload} />
          ) : data ? (
            <Empty title={topic === null ? 'No functions' : `No function handles ${topic}`}>
              The topics that can be produced to are those of the functions in <code>functions/</code>.
            </Empty>
          ) : (
            <Skeleton lines={6} />
          )}
        </Panel>
      )}
    </Page>
  )
}

/** With `?message=ID` the event of that message is where it begins. */
function Prepared({ definition }: { readonly definition: Producible }) {
  const id = useRoute().query.get('message')
  const [message, setMessage] = useState<Message | null>(null)
  const [error, setError] = useState<Error | null>(null)

  useEffect(() => {
    if (!id) return
    const ended = new AbortController()
    const path = toPath(`/api/messages/${encodeURIComponent(id)}`, { topic: definition.topic })
    getJson<Message>(path, { signal: ended.signal })
      .then(setMessage)
      .catch(caught => !ended.signal.aborted && setError(caught))
    return () => ended.abort()
  }, [id, definition.topic])

  if (id && !message && !error) {
    return (
      <Panel>
        <Skeleton lines={6} />
      </Panel>
    )
  }
  return (
    <>
      {definition.state !== 'running' && definition.state !== null && <NotRunning definition={definition} />}
      {error && (
        <Notice tone="warn" title="The message to begin with could not be read">
          {error.message}
        </Notice>
      )}
      <Producer definition={definition} event={message?.value} />
    </>
  )
}

function NotRunning({ definition: { topic, state, reason } }: { readonly definition: Producible }) {
  return (
    <Notice
      tone="warn"
      title={`The function is ${state}`}
      actions={<Link to={toHash(['functions', topic])}>See the function</Link>}
    >
      Kafka takes events all the same; they are settled when it goes on. {reason}
    </Notice>
  )
}
