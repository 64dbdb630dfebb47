import { useState } from 'preact/hooks'
import { usePoll } from '../api.ts'
import { AlertHistory } from '../parts/alert-history.tsx'
import { AlertRule } from '../parts/alert-rule.tsx'
import { useRoute } from '../router.ts'
import type { Alert, AlertList } from '../shapes.ts'
import { Empty, Failure, Notice, Skeleton } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { Tabs } from '../ui/tabs.tsx'
import { Time } from '../ui/values.tsx'

type View = 'rules' | 'history'

/** Every rule with how it is, those that fire first; and what fired before. */
export function AlertsPage() {
  const { query } = useRoute()
  const [view, setView] = useState<View>('rules')
  const alerts = usePoll<AlertList>('/api/alerts', 5_000)
  const { data, error } = alerts
  const firing = data?.items.filter(({ state }) => state === 'firing').length ?? 0

  return (
    <Page
      title="Alerts"
      description={
        data ? (
          <>
            {firing === 0 ? 'Nothing fires.' : `${firing} of ${data.items.length} rules fire.`} Looked at{' '}
            <Time value={data.evaluatedAt} empty="not yet" />.
          </>
        ) : (
          'What the system watches for, and what to do when it happens.'
        )
      }
      actions={<Stale of={alerts} />}
    >
      {data?.source === 'memory' && (
        <Notice tone="warn" title="PostgreSQL is away: this gateway judges from its own memory">
          States are right for this gateway, and are written down when PostgreSQL is back.
        </Notice>
      )}
      <Tabs<View>
        label="Views of alerts"
        tabs={[
          { name: 'rules', label: 'Rules' },
          { name: 'history', label: 'History' }
        ]}
        current={view}
        onChange={setView}
      >
        {view === 'history' ? (
          <AlertHistory rules={data?.items ?? []} />
        ) : data ? (
          <Rules items={data.items} open={query.get('name')} />
        ) : (
          <Panel>
            {error ? (
              <Failure error={error} what="alerts" onRetry={() => void alerts.reload()} />
            ) : (
              <Skeleton lines={6} />
            )}
          </Panel>
        )}
      </Tabs>
    </Page>
  )
}

const RANKS = { firing: 0, pending: 1, ok: 2 } as const

function Rules({ items, open }: { readonly items: readonly Alert[]; readonly open: string | null }) {
  if (items.length === 0) return <Empty title="No rules" />
  const sorted = items.toSorted(
    (a, b) => RANKS[a.state] - RANKS[b.state] || a.severity.localeCompare(b.severity) || a.name.localeCompare(b.name)
  )
  return (
    <Panel flush>
      <ul class="rules">
        {sorted.map(alert => (
          <AlertRule key={alert.name} alert={alert} isOpenAtFirst={alert.name === open} />
        ))}
      </ul>
    </Panel>
  )
}
