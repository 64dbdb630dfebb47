import { usePoll } from '../api.ts'
import type { Health as HealthShape, State } from '../shapes.ts'
import { Dot, type Tone } from '../ui/badge.tsx'
import { Time } from '../ui/values.tsx'

const TONES: Readonly<Record<State, Tone>> = { ok: 'ok', degraded: 'warn', down: 'bad' }
const WORDS: Readonly<Record<State, string>> = { ok: 'Healthy', degraded: 'Degraded', down: 'Down' }

/** How the gateway, and all that it needs, is: asked for on every page. 503 is an answer here. */
export function useHealth() {
  return usePoll<HealthShape>('/health', 3_000, { accept: [503] })
}

/** The state of the system in one line. */
export function Health() {
  const { data, error, staleSince } = useHealth()
  const isKnown = data?.status !== undefined && !error
  const tone = isKnown && data ? TONES[data.status] : error ? 'bad' : 'neutral'
  return (
    <div class={`health health--${tone}`} role="status">
      <Dot tone={tone} />
      {isKnown && data ? (
        <span>
          {WORDS[data.status]}
          {data.status !== 'ok' && <span class="health__why">: {toCauses(data)}</span>}
        </span>
      ) : error ? (
        <span>
          No answer
          {staleSince !== null && (
            <span class="health__why">
              {' '}
              since <Time value={staleSince} />
            </span>
          )}
        </span>
      ) : (
        <span class="muted">Connecting</span>
      )}
    </div>
  )
}

const NAMES = { kafka: 'Kafka', database: 'PostgreSQL', functions: 'functions' } as const

function toCauses({ checks }: HealthShape): string {
  return (Object.keys(NAMES) as (keyof typeof NAMES)[])
    .filter(name => checks[name] !== 'ok')
    .map(name => `${NAMES[name]} ${checks[name]}`)
    .join(', ')
}

/** The tone of a state of health. */
export function toTone(state: State): Tone {
  return TONES[state]
}
