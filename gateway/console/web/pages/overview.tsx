import { type Polled, usePoll } from '../api.ts'
import { toRate } from '../format.ts'
import { FunctionTable } from '../parts/function-table.tsx'
import { HealthPanel } from '../parts/health-panel.tsx'
import { HistoryCharts } from '../parts/history-charts.tsx'
import { Link } from '../router.ts'
import type { Alert, AlertList, FunctionShape, List, Stats, StatsHistory, Topic } from '../shapes.ts'
import { Stat } from '../ui/definitions.tsx'
import { Notice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { Count, Time, Unknown } from '../ui/values.tsx'

const MAX_NOTICES = 3

/** What happens now: what fires, the rates of the last minutes, the functions, and how the parts are. */
export function OverviewPage() {
  const history = usePoll<StatsHistory>('/api/stats/history', 2_000)
  const stats = usePoll<Stats>('/api/stats', 5_000)
  const topics = usePoll<List<Topic>>('/api/topics', 5_000)
  const functions = usePoll<List<FunctionShape>>('/api/functions', 5_000)

  return (
    <Page title="Overview" description="The last minutes, as this gateway sees them." actions={<Live of={history} />}>
      <Firing />
      <HistoryCharts history={history} />
      <div class="grid">
        <div class="col-8 stack">
          <Panel
            title="Functions"
            flush
            actions={
              <>
                <Stale of={topics.staleSince === null ? functions : topics} />
                <Link to="#/topics" class="small">
                  All topics
                </Link>
              </>
            }
          >
            <FunctionTable functions={functions} topics={topics} />
          </Panel>
          <Totals of={stats} />
        </div>
        <div class="col-4">
          <HealthPanel stats={stats} />
        </div>
      </div>
    </Page>
  )
}

function Totals({ of }: { readonly of: Polled<Stats> }) {
  const stats = of.data
  return (
    <Panel actions={of.staleSince !== null && <Stale of={of} />}>
      <div class="stats">
        <Stat label="Settled events" value={<Count value={stats?.totals.messages} />} />
        <Stat label="Dead letters ever" value={<Count value={stats?.totals.deadLetters} />} />
        <Stat label="Partitions" value={<Count value={stats?.kafka.partitionCount} />} />
        <Stat label="Connections" value={<Count value={stats?.database.connectionCount} />} />
        <Stat label="Requests" value={stats ? toRate(stats.api.requestRate) : <Unknown />} unit="/s" />
      </div>
    </Panel>
  )
}

function Live({ of }: { readonly of: ReturnType<typeof usePoll<StatsHistory>> }) {
  if (of.staleSince !== null) return <Stale of={of} />
  if (of.data === undefined) return null
  return (
    <span class="live small muted">
      <span class="live__dot" aria-hidden="true" />
      Live
    </span>
  )
}

function Firing() {
  const { data, staleSince } = usePoll<AlertList>('/api/alerts', 5_000)
  const firing = (data?.items ?? []).filter(({ state }) => state === 'firing').toSorted((a, b) => rank(a) - rank(b))
  if (firing.length === 0) return null
  return (
    <div class="stack stack--tight">
      {firing.slice(0, MAX_NOTICES).map(alert => (
        <Notice
          key={alert.name}
          tone={alert.severity === 'critical' ? 'bad' : 'warn'}
          title={toTitle(alert)}
          actions={<Link to={`#/alerts?name=${encodeURIComponent(alert.name)}`}>What to do</Link>}
        >
          {alert.name}, since <Time value={alert.since} />
          {staleSince !== null && ' (last known)'}
        </Notice>
      ))}
      {firing.length > MAX_NOTICES && (
        <Link to="#/alerts" class="small">
          {firing.length - MAX_NOTICES} more alerts are firing
        </Link>
      )}
    </div>
  )
}

/** What is wrong, and where: three subjects at most, the worst first. */
function toTitle({ summary, subjects }: Alert): string {
  const names = subjects.flatMap(({ subject, state }) => (state === 'firing' && subject !== null ? [subject] : []))
  if (names.length === 0) return summary
  return `${summary}: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`
}

function rank({ severity }: Alert): number {
  return severity === 'critical' ? 0 : 1
}
