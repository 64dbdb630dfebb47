import { Button } from './button.tsx'
import { Field, Select, TextInput } from './field.tsx'
import { Icon } from './icon.tsx'
import {
  choicesOf,
  type Draft,
  describeLimits,
  exampleOf,
  type Fault,
  type JsonSchema,
  kindOf,
  type Place,
  partsOf,
  toDraft,
  toPointer,
  WHOLE
} from './schema-form-draft.ts'

interface SchemaFormProps {
  readonly schema: JsonSchema
  readonly draft: Draft
  readonly onChange: (draft: Draft) => void
  /** What is wrong, each at its place. */
  readonly faults: readonly Fault[]
}

/** A form for an event of a JSON Schema. */
export function SchemaForm(props: SchemaFormProps) {
  if (kindOf(props.schema) !== 'group') return <Part {...props} name="Event" place={WHOLE} />
  return (
    <div class="schema-form">
      <Parts {...props} place={WHOLE} />
    </div>
  )
}

interface PartProps extends SchemaFormProps {
  readonly name: string
  readonly place: Place
}

function Part(props: PartProps) {
  const kind = kindOf(props.schema)
  if (kind === 'group') return <Group {...props} />
  return kind === 'list' ? <List {...props} /> : <Leaf {...props} />
}

function Parts({ schema, draft, onChange, faults, place }: Omit<PartProps, 'name'>) {
  const members = (typeof draft === 'object' ? draft : {}) as Readonly<Record<string, Draft>>
  return (
    <>
      {partsOf(schema, place.pointer).map(part => (
        <Part
          key={part.name}
          {...part}
          draft={members[part.name]}
          faults={faults}
          onChange={next => onChange({ ...members, [part.name]: next })}
        />
      ))}
    </>
  )
}

function Group(props: PartProps) {
  const { name, schema, draft, onChange, place } = props
  if (draft === undefined)
    return <AddButton name={name} onAdd={() => onChange(toDraft(schema, exampleOf(schema) ?? {}))} />
  return (
    <fieldset class="schema-form__group">
      <Legend {...props} />
      <Parts {...props} place={place} />
    </fieldset>
  )
}

function List(props: PartProps) {
  const { name, schema, draft, onChange, faults, place } = props
  const item = schema.items ?? {}
  const add = () => toDraft(item, exampleOf(item))
  if (draft === undefined) return <AddButton name={name} onAdd={() => onChange([add()])} />

  const items = draft as readonly Draft[]
  return (
    <fieldset class="schema-form__group">
      <Legend {...props} />
      {items.map((one, index) => (
        <div key={index} class="schema-form__item">
          <Part
            name={`${name} ${index + 1}`}
            schema={item}
            draft={one}
            faults={faults}
            place={{ pointer: toPointer(place.pointer, index), isRequired: true }}
            onChange={next => onChange(items.with(index, next))}
          />
          <Button
            small
            tone="quiet"
            label={`Remove ${name} ${index + 1}`}
            onClick={() => onChange(items.toSpliced(index, 1))}
          >
            <Icon name="close" />
          </Button>
        </div>
      ))}
      <div class="row">
        <Button small onClick={() => onChange([...items, add()])}>
          Add one
        </Button>
      </div>
    </fieldset>
  )
}

function Legend({ name, schema, onChange, faults, place }: PartProps) {
  const fault = faults.find(({ path }) => path === place.pointer)
  return (
    <>
      <legend>
        {name} {place.isRequired && <span class="field__required">required</span>}
      </legend>
      <div class="row row--between">
        <span class={`field__note ${fault ? 'field__note--bad' : ''}`}>{fault?.message ?? schema.description}</span>
        {!place.isRequired && (
          <Button small tone="quiet" onClick={() => onChange(undefined)}>
            Leave out
          </Button>
        )}
      </div>
    </>
  )
}

function AddButton({ name, onAdd }: { readonly name: string; readonly onAdd: () => void }) {
  return (
    <div class="row">
      <Button small onClick={onAdd}>
        Add {name}
      </Button>
    </div>
  )
}

function Leaf({ name, schema, draft, onChange, faults, place }: PartProps) {
  const text = typeof draft === 'string' ? draft : ''
  const kind = kindOf(schema)
  // A part that is put in as JSON has its inner places too.
  const fault = faults.find(({ path }) => path === place.pointer || path.startsWith(`${place.pointer}/`))
  const inner = fault?.path.slice(place.pointer.length).replace(/^\//, '')
  const error = fault && (inner ? `${inner} ${fault.message}` : fault.message)
  const hint = [schema.description, describeLimits(schema)].filter(Boolean).join(' · ')
  const isTime = schema.format === 'date-time'

  return (
    <div class="schema-form__leaf">
      <Field label={name} required={place.isRequired} hint={hint} error={error ?? null}>
        {control =>
          kind === 'choice' ? (
            <Select {...control} options={optionsOf(schema, place)} value={text} onChange={onChange} />
          ) : (
            <TextInput
              {...control}
              value={text}
              onInput={onChange}
              mono={kind === 'json'}
              placeholder={placeholderOf(schema)}
              {...rowsOf(schema)}
            />
          )
        }
      </Field>
      {isTime && (
        <Button small tone="quiet" onClick={() => onChange(new Date().toISOString())}>
          Now
        </Button>
      )}
    </div>
  )
}

function optionsOf(schema: JsonSchema, { isRequired }: Place) {
  const choices = (choicesOf(schema) ?? []).map(value => ({ value: JSON.stringify(value), label: String(value) }))
  return [{ value: '', label: isRequired ? 'Choose…' : 'Not set' }, ...choices]
}

const LONG = 512

function rowsOf(schema: JsonSchema): { rows: number } | object {
  if (kindOf(schema) === 'json') return { rows: 3 }
  return schema.type === 'string' && (schema.maxLength ?? 0) > LONG ? { rows: 3 } : {}
}

function placeholderOf(schema: JsonSchema): string {
  const example = schema.examples?.[0]
  if (example !== undefined) return typeof example === 'string' ? example : JSON.stringify(example)
  if (schema.format === 'date-time') return '2026-01-31T12:00:00Z'
  return schema.type === 'object' ? '{ }' : ''
}
