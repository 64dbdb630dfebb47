import { useRef, useState } from 'preact/hooks'
import { ApiError, postJson } from '../api.ts'
import { findJsonFault } from '../edited-value.ts'
import type { Producible } from '../producible.ts'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { Field, Select, TextInput } from '../ui/field.tsx'
import { Icon } from '../ui/icon.tsx'
import { Notice } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { SchemaForm } from '../ui/schema-form.tsx'
import {
  type Draft,
  exampleOf,
  type Fault,
  isShown,
  type JsonSchema,
  toDraft,
  toValue
} from '../ui/schema-form-draft.ts'
import { Tabs } from '../ui/tabs.tsx'
import { type Accepted, type Sent, SentList } from './produce-sent.tsx'

const MAX_SENT = 20
const WAITS = [
  { value: '0', label: 'Do not wait' },
  { value: '2', label: 'Wait up to 2 s' },
  { value: '5', label: 'Wait up to 5 s' },
  { value: '30', label: 'Wait up to 30 s' }
]

interface ProducerProps {
  readonly definition: Producible
  /** Where the form begins; undefined for the examples of the schema. */
  readonly event: unknown
}

/** Composes an event, sends it, and keeps what became of the last ones. */
export function Producer({ definition, event }: ProducerProps) {
  const { topic, schema } = definition
  const editor = useEditor(schema, event)
  const [waitSeconds, setWaitSeconds] = useState('5')
  const [key, setKey] = useState('')
  const [isBusy, setIsBusy] = useState(false)
  const [sent, setSent] = useState<readonly Sent[]>([])
  const form = useRef<HTMLFormElement>(null)

  const send = async (body: unknown) => {
    setIsBusy(true)
    const headers: Record<string, string> = {}
    if (waitSeconds !== '0') headers.prefer = `wait=${waitSeconds}`
    if (key) headers['idempotency-key'] = key
    const startedMs = performance.now()
    const result = await postJson<Accepted>(`/api/produce/${encodeURIComponent(topic)}`, body, { headers }).catch(
      (error: Error) => error
    )
    const one = { body, result, ms: performance.now() - startedMs, at: Date.now() }
    setSent(list => [{ ...one, id: (list[0]?.id ?? 0) + 1 }, ...list].slice(0, MAX_SENT))
    setIsBusy(false)
    editor.setFaults(result instanceof ApiError ? (result.problem.errors ?? []) : [])
    if (result instanceof Error) requestAnimationFrame(() => focusFault(form.current))
  }
  const submit = () => {
    const { value, faults } = editor.read()
    editor.setFaults(faults)
    if (faults.length === 0) void send(value)
    else requestAnimationFrame(() => focusFault(form.current))
  }

  return (
    <div class="grid">
      <div class="col-8">
        <Panel
          title="Event"
          description={`as ${topic} takes it`}
          actions={
            <>
              <Button small tone="quiet" onClick={() => editor.load(exampleOf(schema, { withOptional: true }))}>
                Fill in an example
              </Button>
              <CopyButton what="it as a curl command" text={() => toCurl(topic, editor.read().value)}>
                curl
              </CopyButton>
            </>
          }
        >
          <form
            ref={form}
            class="stack"
            noValidate
            onSubmit={submitted => {
              submitted.preventDefault()
              submit()
            }}
          >
            <EventEditor schema={schema} editor={editor} />
            <div class="form-foot">
              <Field label="Outcome">
                {control => <Select {...control} options={WAITS} value={waitSeconds} onChange={setWaitSeconds} />}
              </Field>
              <Field label="Idempotency-Key">
                {control => (
                  <TextInput
                    {...control}
                    mono
                    value={key}
                    onInput={setKey}
                    placeholder="none: each send is a new event"
                  />
                )}
              </Field>
              <Button type="submit" tone="primary" busy={isBusy}>
                {!isBusy && <Icon name="produce" />}
                {isBusy && waitSeconds !== '0' ? 'Waiting…' : 'Send'}
              </Button>
            </div>
          </form>
        </Panel>
      </div>
      <div class="col-4">
        <SentList sent={sent} isBusy={isBusy} onRepeat={send} />
      </div>
    </div>
  )
}

function focusFault(form: HTMLFormElement | null) {
  form?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
}

interface Editor {
  readonly mode: 'form' | 'json'
  readonly draft: Draft
  readonly text: string
  readonly faults: readonly Fault[]
  /** True when the JSON has what the form cannot show, so that it stays JSON. */
  readonly isTooRich: boolean
  readonly setDraft: (draft: Draft) => void
  readonly setText: (text: string) => void
  readonly setMode: (mode: 'form' | 'json') => void
  readonly setFaults: (faults: readonly Fault[]) => void
  readonly load: (value: unknown) => void
  readonly read: () => { readonly value: unknown; readonly faults: readonly Fault[] }
}

/** An event as a form or as JSON; what was put in goes from one to the other. */
function useEditor(schema: JsonSchema, event: unknown): Editor {
  const first = event === undefined ? exampleOf(schema) : event
  const isFirstShown = event === undefined || isShown(schema, event)
  const [mode, setMode] = useState<'form' | 'json'>(isFirstShown ? 'form' : 'json')
  const [draft, setDraft] = useState<Draft>(() => toDraft(schema, first))
  const [text, setText] = useState(() => toText(first))
  const [faults, setFaults] = useState<readonly Fault[]>([])
  const [isTooRich, setIsTooRich] = useState(false)

  const read = () => {
    if (mode === 'form') return toValue(schema, draft)
    const fault = findJsonFault(text)
    return fault
      ? { value: undefined, faults: [{ path: '', message: fault }] }
      : { value: JSON.parse(text), faults: [] }
  }
  const changeMode = (next: 'form' | 'json') => {
    const { value, faults: unread } = read()
    setIsTooRich(false)
    setFaults(unread)
    if (next === 'json') setText(toText(value))
    else if (unread.length > 0) return
    else if (isShown(schema, value)) setDraft(toDraft(schema, value))
    else return setIsTooRich(true)
    setMode(next)
  }
  const load = (value: unknown) => {
    setDraft(toDraft(schema, value))
    setText(toText(value))
    setFaults([])
    setIsTooRich(false)
  }
  return { mode, draft, text, faults, isTooRich, setDraft, setText, setMode: changeMode, setFaults, load, read }
}

function toText(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? ''
}

const MODES = [
  { name: 'form', label: 'Form' },
  { name: 'json', label: 'JSON' }
] as const

function EventEditor({ schema, editor }: { readonly schema: JsonSchema; readonly editor: Editor }) {
  const { mode, draft, text, faults, isTooRich, setDraft, setText } = editor
  return (
    <Tabs label="How the event is put in" tabs={MODES} current={mode} onChange={editor.setMode}>
      <div class="stack editor">
        {isTooRich && (
          <Notice tone="warn" title="The form cannot show all of it">
            This JSON has parts that are not in the schema, or are of another type. Send it from here, or take them out.
          </Notice>
        )}
        {mode === 'form' ? (
          <SchemaForm schema={schema} draft={draft} onChange={setDraft} faults={faults} />
        ) : (
          <Field
            label="JSON"
            hideLabel
            error={faults.map(({ path, message }) => `${path} ${message}`.trim()).join('; ') || null}
          >
            {control => <TextInput {...control} mono rows={16} value={text} onInput={setText} />}
          </Field>
        )}
      </div>
    </Tabs>
  )
}

/** A command for a shell: in single quotes nothing is special but their end. */
function toCurl(topic: string, value: unknown): string {
  const body = (JSON.stringify(value) ?? '').replaceAll("'", `'\\''`)
  return `curl '${location.origin}/api/produce/${topic}' -H 'Content-Type: application/json' -d '${body}'`
}
