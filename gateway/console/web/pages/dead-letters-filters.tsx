import { useEffect, useState } from 'preact/hooks'
import { DISPOSITION_NAMES, STAGES, toWords } from '../dead-letter-words.ts'
import { go, toHash } from '../router.ts'
import { Field, SearchBar, Select, TextInput } from '../ui/field.tsx'
import { SearchButtons } from '../ui/filters.tsx'
import { TimeFilter } from '../ui/time-filter.tsx'
import { TopicSelect } from '../ui/topic-select.tsx'

/** Which dead letters are meant; an empty member means any. */
export interface Choice {
  readonly topic: string
  readonly state: string
  readonly stage: string
  readonly disposition: string
  readonly error: string
}

const ANY = 'any'
const STATES = [
  { value: 'dead', label: 'Dead' },
  { value: 'redriving', label: 'Being redriven' },
  { value: 'resolved', label: 'Resolved' },
  { value: 'discarded', label: 'Discarded' },
  { value: ANY, label: 'Any state' }
]
const STAGE_OPTIONS = [{ value: '', label: 'Any stage' }, ...STAGES]
const REASON_OPTIONS = [
  { value: '', label: 'Any reason' },
  ...DISPOSITION_NAMES.map(name => ({ value: name, label: toWords(name).label }))
]

/** Reads the choice from the address. Without a word about it those are meant that somebody has to care for. */
export function toChoice(query: URLSearchParams): Choice {
  const of = (name: string) => query.get(name) ?? ''
  const state = of('state') || 'dead'
  return {
    topic: of('topic'),
    state: state === ANY ? '' : state,
    stage: of('stage'),
    disposition: of('disposition'),
    error: of('error')
  }
}

/** What the dead letters are cut to; it stands in the address. */
export function DeadLetterFilters({ query }: { readonly query: URLSearchParams }) {
  const choice = toChoice(query)
  const [error, setError] = useState(choice.error)
  useEffect(() => setError(choice.error), [choice.error])

  const apply = (changes: Readonly<Record<string, string>>) => {
    const next = { ...Object.fromEntries(query), error: error.trim(), ...changes, cursor: '' }
    go(toHash(['dead-letters'], next), { replace: true })
  }
  return (
    <SearchBar label="Filter dead letters" onSubmit={() => apply({})}>
      <TopicSelect value={choice.topic} onChange={topic => apply({ topic })} />
      <Field label="State">
        {control => (
          <Select {...control} options={STATES} value={choice.state || ANY} onChange={state => apply({ state })} />
        )}
      </Field>
      <Field label="Stage">
        {control => (
          <Select {...control} options={STAGE_OPTIONS} value={choice.stage} onChange={stage => apply({ stage })} />
        )}
      </Field>
      <Field label="Reason">
        {control => (
          <Select
            {...control}
            options={REASON_OPTIONS}
            value={choice.disposition}
            onChange={disposition => apply({ disposition })}
          />
        )}
      </Field>
      <Field label="Error name">
        {control => (
          <TextInput {...control} type="search" mono value={error} onInput={setError} placeholder="TypeError" />
        )}
      </Field>
      <TimeFilter key={query.size === 0 ? 'none' : 'some'} query={query} onChange={time => apply({ ...time })} />
      <SearchButtons clearTo="#/dead-letters" isFiltered={query.size > 0} />
    </SearchBar>
  )
}
