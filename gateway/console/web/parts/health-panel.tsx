import type { Polled } from '../api.ts'
import { toBytes, toMs } from '../format.ts'
import type { State, Stats } from '../shapes.ts'
import { STATE_TONES, useHealth } from '../shell/health.tsx'
import { Badge } from '../ui/badge.tsx'
import { Definitions } from '../ui/definitions.tsx'
import { Meter } from '../ui/meter.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { Count, Unknown } from '../ui/values.tsx'

/** How Kafka, PostgreSQL and the functions are, and what they hold. */
export function HealthPanel({ stats }: { readonly stats: Polled<Stats> }) {
  const health = useHealth()
  const checks = health.error ? undefined : health.data?.checks
  const { kafka, database, totals } = stats.data ?? {}

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
        <Definitions
          items={[
            ['Settled events', <Count key="messages" value={totals?.messages} />],
            ['Dead letters ever', <Count key="dead" value={totals?.deadLetters} />],
            ['Partitions', <Count key="partitions" value={kafka?.partitionCount} />],
            ['Database connections', <Count key="connections" value={database?.connectionCount} />],
            ['Query, mean', database ? toMs(database.queryLatency) : <Unknown key="query" />]
          ]}
        />
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
