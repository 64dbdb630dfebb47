import { useState } from 'preact/hooks'
import { ApiError, postJson } from '../api.ts'
import { type EditMode, findEditFault, toEditable, toRedriveBody } from '../edited-value.ts'
import { toCount } from '../format.ts'
import type { DeadLetter } from '../records.ts'
import { Link, toHash } from '../router.ts'
import { Button } from '../ui/button.tsx'
import { Checkbox, Field, Select, TextInput } from '../ui/field.tsx'
import { Icon } from '../ui/icon.tsx'
import { Notice } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { type Action, useAction } from '../use-action.ts'
import { ExportButton } from './dead-letter-export.tsx'

interface Redriven {
  readonly state: 'redriving'
  readonly laterSettled: number | null
  readonly warning?: string
}

interface ActionsProps {
  readonly letter: DeadLetter
  readonly onDone: () => Promise<void>
}

/** What can be done about a dead letter: run it again as it is or edited, or take it along as a file. */
export function DeadLetterActions({ letter, onDone }: ActionsProps) {
  const [isEditing, setIsEditing] = useState(false)
  const [overtake, setOvertake] = useState(false)
  const [redriven, setRedriven] = useState<Redriven | null>(null)
  const action = useAction()
  const isDead = letter.state === 'dead'

  const redrive = (edit: object = {}) =>
    action.run(async () => {
      setRedriven(await postJson<Redriven>(`/api/dead-letters/${letter.id}/redrive`, { ...edit, overtake }))
      setIsEditing(false)
      await onDone()
    })

  return (
    <Panel
      title={isDead ? 'Run it again' : 'As a file'}
      actions={
        <>
          <ExportButton id={letter.id} />
          {isDead && (
            <Button expanded={isEditing} onClick={() => setIsEditing(!isEditing)}>
              {isEditing ? 'Do not edit' : 'Edit…'}
            </Button>
          )}
          {isDead && !isEditing && (
            <Button tone="primary" busy={action.isBusy} onClick={() => redrive()}>
              <Icon name="rewind" />
              Redrive
            </Button>
          )}
        </>
      }
    >
      <div class="stack stack--tight">
        {isDead && isEditing && <Editor letter={letter} action={action} onSend={redrive} />}
        {isDead && (
          <Checkbox label="Go ahead of older dead letters of its key" checked={overtake} onChange={setOvertake} />
        )}
        {!isDead && (
          <p class="muted">
            The file has every byte of the record; <code>smg-kafka/testing</code> runs it.
          </p>
        )}
        {action.error && <Refusal error={action.error} />}
        {redriven && <Outcome redriven={redriven} />}
      </div>
    </Panel>
  )
}

interface EditorProps {
  readonly letter: DeadLetter
  readonly action: Action
  readonly onSend: (edit: object) => void
}

const MODES = [
  { value: 'json', label: 'JSON' },
  { value: 'text', label: 'Text, as it is' },
  { value: 'base64', label: 'Bytes in base64' }
]

function Editor({ letter, action, onSend }: EditorProps) {
  const [first] = useState(() => toEditable(letter))
  const [mode, setMode] = useState<EditMode>(first.mode)
  const [text, setText] = useState(first.text)
  const fault = findEditFault(mode, text)

  return (
    <div class="stack stack--tight">
      <Field
        label="Value"
        error={fault}
        hint="This is run in place of the value. The original stays: a later redrive without an edit runs it again."
      >
        {control => <TextInput {...control} mono rows={first.rows} value={text} onInput={setText} />}
      </Field>
      <div class="row row--between">
        <Field label="Sent as" hideLabel>
          {control => <Select {...control} options={MODES} value={mode} onChange={name => setMode(name as EditMode)} />}
        </Field>
        <Button
          tone="primary"
          busy={action.isBusy}
          disabled={fault !== null}
          onClick={() => onSend(toRedriveBody(mode, text))}
        >
          <Icon name="rewind" />
          Redrive the edited value
        </Button>
      </div>
    </div>
  )
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/

/** Why it was not redriven; with the way to the one that has to go first. */
function Refusal({ error }: { readonly error: Error }) {
  const isOlder = error instanceof ApiError && error.problem.code === 'SMG_GATEWAY_OLDER_DEAD'
  const older = isOlder ? UUID.exec(error.message)?.[0] : undefined
  return (
    <Notice
      tone="bad"
      title={older ? 'An older dead letter of its key goes first' : 'It was not redriven'}
      actions={older && <Link to={toHash(['dead-letters', older])}>Open the older one</Link>}
    >
      {error.message}
    </Notice>
  )
}

function Outcome({ redriven: { laterSettled, warning } }: { readonly redriven: Redriven }) {
  if (!laterSettled && !warning) return null
  return (
    <Notice tone="warn" title={warning ? 'This may be in vain' : 'The order is not restored'}>
      {warning}{' '}
      {laterSettled !== null && laterSettled > 0 && (
        <>
          {toCount(laterSettled)} later {laterSettled === 1 ? 'event' : 'events'} of its key are settled already.
        </>
      )}
    </Notice>
  )
}
