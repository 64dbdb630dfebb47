import { useEffect, useState } from 'preact/hooks'
import { go, Link, toHash } from '../router.ts'
import { Field, SearchBar, TextInput } from '../ui/field.tsx'
import { SearchButtons } from '../ui/filters.tsx'
import { TimeFilter } from '../ui/time-filter.tsx'
import { TopicSelect } from '../ui/topic-select.tsx'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** What the list of messages is cut to; it stands in the address. */
export function MessageFilters({ query }: { readonly query: URLSearchParams }) {
  const [key, setKey] = useState(query.get('key') ?? '')
  const [partition, setPartition] = useState(query.get('partition') ?? '')
  // The address changes by links and by the browser's buttons too.
  useEffect(() => setKey(query.get('key') ?? ''), [query.get('key')])
  useEffect(() => setPartition(query.get('partition') ?? ''), [query.get('partition')])

  const apply = (changes: Readonly<Record<string, string>>) => {
    const next = { ...Object.fromEntries(query), key: key.trim(), partition, ...changes, cursor: '' }
    go(toHash(['messages'], next), { replace: true })
  }
  return (
    <SearchBar label="Filter messages" onSubmit={() => apply({})}>
      <TopicSelect value={query.get('topic') ?? ''} onChange={topic => apply({ topic })} />
      <Field
        label="Key or event id"
        hint={
          UUID.test(key.trim()) && (
            <Link to={toHash(['messages', key.trim().toLowerCase()])}>Open the message with this id</Link>
          )
        }
      >
        {control => <TextInput {...control} type="search" mono value={key} onInput={setKey} placeholder="user-001" />}
      </Field>
      <Field label="Partition">
        {control => <TextInput {...control} type="number" value={partition} onInput={setPartition} placeholder="any" />}
      </Field>
      <TimeFilter key={query.size === 0 ? 'none' : 'some'} query={query} onChange={time => apply({ ...time })} />
      <SearchButtons clearTo="#/messages" isFiltered={query.size > 0} />
    </SearchBar>
  )
}
