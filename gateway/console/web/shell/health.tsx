import { usePoll } from '../api.ts'
import type { Health as HealthShape, State } from '../shapes.ts'
import { Dot, type Tone } from '../ui/badge.tsx'
import { Time } from '../ui/values.tsx'

const WORDS: Readonly<Record<State, string>> = { ok: 'Healthy', degraded: 'Degraded', down: 'Down' }
const NAMES = { kafka: 'Kafka', database: 'PostgreSQL', functions: 'functions' } as const

/** The tone of a state of health. */
export const STATE_TONES: Readonly<Record<State, Tone>> = { ok: 'ok', degraded: 'warn', down: 'bad' }

/** How the gateway, and all that it needs, is: asked for on every page. 503 is an answer here. */
export function useHealth() {
  return usePoll<HealthShape>('/health', 3_000, { accept: [503] })
}

/** The state of the system in one line. */
export function Health() {
  const { data, error, staleSince } = useHealth()
  // An overloaded gateway answers 503 with a problem, which has no checks.
  const health = error || !data?.checks ? null : data
  const tone = health ? STATE_TONES[health.status] : error ? 'bad' : 'neutral'
  return (
    <div class="health" role="status">
      <Dot tone={tone} />
      {health && (
        <span>
          {WORDS[health.status]}
          {health.status !== 'ok' && <span class="health__why">: {toCauses(health)}</span>}
        </span>
      )}
      {error && (
        <span>
          No answer
          {staleSince !== null && (
            <span class="health__why">
              , last <Time value={staleSince} />
            </span>
          )}
        </span>
      )}
      {!health && !error && <span class="muted">Connecting</span>}
    </div>
  )
}

function toCauses({ checks }: HealthShape): string {
  return (Object.keys(NAMES) as (keyof typeof NAMES)[])
    .filter(name => checks[name] !== 'ok')
    .map(name => `${NAMES[name]} ${checks[name]}`)
    .join(', ')
}
