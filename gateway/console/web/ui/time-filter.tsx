import { useState } from 'preact/hooks'
import { fromLocalInput, TIME_OPTIONS, toLocalInput } from '../list-query.ts'
import { Field, Select, TextInput } from './field.tsx'

/** Members of the address that say which time is meant; empty ones are left out. */
interface TimeChoice {
  readonly last: string
  readonly from: string
  readonly to: string
}

interface TimeFilterProps {
  readonly query: URLSearchParams
  readonly onChange: (choice: TimeChoice) => void
}

/** Which time a list is about: a span until now, or from one time to another. */
export function TimeFilter({ query, onChange }: TimeFilterProps) {
  const from = query.get('from')
  const to = query.get('to')
  const [isCustom, setIsCustom] = useState(false)
  const isRange = Boolean(from || to) || isCustom

  const choose = (value: string) => {
    setIsCustom(value === 'custom')
    if (value !== 'custom') onChange({ last: value, from: '', to: '' })
  }
  return (
    <>
      <Field label="Time">
        {control => (
          <Select
            {...control}
            options={TIME_OPTIONS}
            value={isRange ? 'custom' : (query.get('last') ?? '')}
            onChange={choose}
          />
        )}
      </Field>
      {isRange && (
        <>
          <Field label="From">
            {control => (
              <TextInput
                {...control}
                type="datetime-local"
                value={toLocalInput(from)}
                onInput={text => onChange({ last: '', from: fromLocalInput(text), to: to ?? '' })}
              />
            )}
          </Field>
          <Field label="Until">
            {control => (
              <TextInput
                {...control}
                type="datetime-local"
                value={toLocalInput(to)}
                onInput={text => onChange({ last: '', from: from ?? '', to: fromLocalInput(text) })}
              />
            )}
          </Field>
        </>
      )}
    </>
  )
}
