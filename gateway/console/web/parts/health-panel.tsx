import type { Polled } from '../api.ts'
import { toBytes } from '../format.ts'
import type { State, Stats } from '../shapes.ts'
import { STATE_TONES, useHealth } from '../shell/health.tsx'
import { Badge } from '../ui/badge.tsx'
import { Definitions } from '../ui/definitions.tsx'
import { Meter } from '../ui/meter.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { Unknown } from '../ui/values.tsx'

/** How Kafka, PostgreSQL and the functions are, and what they hold. */
export function HealthPanel({ stats }: { readonly stats: Polled<Stats> }) {
  const health = useHealth()
  const checks = health.error ? undefined : health.data?.checks
  const { kafka, database } = stats.data ?? {}

  return (
    <Panel title="Health" actions={<Stale of={stats} />}>
      <div class="stack">
        <Definitions
          items={[
            ['Kafka', <StateBadge key="kafka" state={checks?.kafka} />],
            ['PostgreSQL', <StateBadge key="database" state={checks?.database} />],
            ['Functions', <StateBadge key="functions" state={checks?.functions} />]
          ]}
        />
        <Meter label="Kafka’s disk" ratio={kafka?.diskUsage} note={toNote(kafka?.diskUsageBytes)} />
        <Meter label="Database" ratio={database?.storageUsage} note={toNote(database?.storageUsageBytes)} />
        {stats.error && !stats.data && <p class="small muted">Numbers: {stats.error.message}</p>}
      </div>
    </Panel>
  )
}

function StateBadge({ state }: { readonly state: State | undefined }) {
  if (!state) return <Unknown />
  return (
    <Badge tone={STATE_TONES[state]} dot>
      {state}
    </Badge>
  )
}

function toNote(bytes: number | null | undefined): string {
  return bytes === null || bytes === undefined ? '' : toBytes(bytes)
}
