import type { Target, TargetInput } from '../position-request.ts'
import type { TopicPartition } from '../shapes.ts'
import { Field, TextInput } from '../ui/field.tsx'

const choices: readonly { readonly target: Target; readonly label: string; readonly note: string }[] = [
  { target: 'earliest', label: 'Earliest', note: 'The oldest record that Kafka still holds.' },
  { target: 'latest', label: 'Latest', note: 'The end: what waits now is passed over, and never handled.' },
  { target: 'time', label: 'A time', note: 'The first record of that time or later.' },
  { target: 'offsets', label: 'Offsets', note: 'A record of your choice, partition by partition.' }
]

interface PositionTargetProps {
  readonly input: TargetInput
  readonly partitions: readonly TopicPartition[]
  readonly disabled: boolean
  readonly onChange: (input: TargetInput) => void
}

/** Asks where to. */
export function PositionTarget({ input, partitions, disabled, onChange }: PositionTargetProps) {
  return (
    <fieldset disabled={disabled}>
      <legend>Where to</legend>
      <div class="choices">
        {choices.map(({ target, label, note }) => (
          <label key={target} class="choice">
            <input
              type="radio"
              name="target"
              checked={input.target === target}
              onChange={() => onChange({ ...input, target })}
            />
            <strong>{label}</strong>
            <span class="choice__note">{note}</span>
          </label>
        ))}
      </div>
      {input.target === 'time' && (
        <Field label="Time" hint="In the time zone of this browser.">
          {control => (
            <TextInput
              {...control}
              type="datetime-local"
              value={input.time}
              onInput={time => onChange({ ...input, time })}
            />
          )}
        </Field>
      )}
      {input.target === 'offsets' && (
        <div class="offsets">
          {partitions.map(({ partition, logStartOffset, logEndOffset }) => (
            <Field key={partition} label={`Partition ${partition}`} hint={`${logStartOffset} to ${logEndOffset}`}>
              {control => (
                <TextInput
                  {...control}
                  mono
                  placeholder="stays"
                  value={input.offsets[partition] ?? ''}
                  onInput={offset => onChange({ ...input, offsets: { ...input.offsets, [partition]: offset } })}
                />
              )}
            </Field>
          ))}
        </div>
      )}
    </fieldset>
  )
}
