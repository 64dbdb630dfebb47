import { usePoll } from '../api.ts'
import { Field, Select } from './field.tsx'

const EVERY_MS = 60_000

interface TopicSelectProps {
  readonly value: string
  readonly onChange: (topic: string) => void
}

/** The topic of a function, or all of them. One that nobody serves any more can be chosen by its address. */
export function TopicSelect({ value, onChange }: TopicSelectProps) {
  const { data } = usePoll<{ items: readonly { topic: string }[] }>('/api/functions', EVERY_MS)
  const topics = new Set([...(data?.items.map(({ topic }) => topic) ?? []), ...(value ? [value] : [])])
  const options = [{ value: '', label: 'All topics' }, ...[...topics].map(topic => ({ value: topic, label: topic }))]
  return (
    <Field label="Topic">
      {control => <Select {...control} options={options} value={value} onChange={onChange} />}
    </Field>
  )
}
