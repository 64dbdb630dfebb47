import type { DeadLetterState } from './records.ts'
import type { Tone } from './ui/badge.tsx'

interface Words {
  readonly label: string
  /** What it means, and what helps. */
  readonly help: string
}

const DISPOSITIONS: Readonly<Record<string, Words>> = {
  decode_failed: {
    label: 'Not readable',
    help: 'Its value is no JSON in UTF-8. Nothing but an edit will help.'
  },
  validation_failed: {
    label: 'Breaks the schema',
    help: 'Its value is not what the function takes. Edit it, or change the schema and redrive.'
  },
  non_retriable: {
    label: 'Refused for good',
    help: 'The function, or the database, said that trying again is no use. Mend the function or edit the value first.'
  },
  attempts_exhausted: {
    label: 'Attempts used up',
    help: 'Each attempt failed. Redrive it when the cause is mended.'
  },
  record_expired: { label: 'Too old', help: 'It was older than the function allows when its turn came.' },
  timed_out: { label: 'Took too long', help: 'The last attempt did not end within its time.' },
  parked_behind_key: {
    label: 'Parked',
    help: 'It waits behind an older dead letter of its key, and runs when that one is resolved or discarded.'
  },
  crashed: { label: 'Crashed its runner', help: 'The process ended while it was handled. Mend the function first.' },
  id_reused: { label: 'Id used before', help: 'Another event with this id is settled already.' },
  imported: { label: 'Imported', help: 'Another system left it in its own dead letters.' }
}

/** Words for why a record is a dead letter; what is not known is said as it is. */
export function toWords(disposition: string): Words {
  return Object.hasOwn(DISPOSITIONS, disposition)
    ? (DISPOSITIONS[disposition] as Words)
    : { label: disposition, help: '' }
}

export const STAGES = ['decode', 'validate', 'handle', 'persist']
export const DISPOSITION_NAMES = Object.keys(DISPOSITIONS)

export const STATE_TONES: Readonly<Record<DeadLetterState, Tone>> = {
  dead: 'bad',
  redriving: 'accent',
  resolved: 'ok',
  discarded: 'neutral'
}
