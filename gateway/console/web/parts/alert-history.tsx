import { useState } from 'preact/hooks'
import { toUnit } from '../format.ts'
import { toPath } from '../list-query.ts'
import type { Alert, AlertEvent } from '../shapes.ts'
import { Badge, type Tone } from '../ui/badge.tsx'
import { Field, SearchBar, Select } from '../ui/field.tsx'
import { More, useLongList } from '../ui/long-list.tsx'
import { Empty, Failure } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { Time } from '../ui/values.tsx'

const everything = { value: '', label: 'All' }

/** What fired and cleared, newest first, and who was told. */
export function AlertHistory({ rules }: { readonly rules: readonly Alert[] }) {
  const [name, setName] = useState('')
  const [severity, setSeverity] = useState('')
  const list = useLongList<AlertEvent>(toPath('/api/alerts/history', { name, severity }), 10_000)
  const units = new Map(rules.map(rule => [rule.name, rule.unit]))

  return (
    <Panel flush>
      <SearchBar label="Filters of the history">
        <Field label="Alert">
          {control => (
            <Select
              {...control}
              value={name}
              onChange={setName}
              options={[everything, ...rules.map(rule => rule.name).toSorted()]}
            />
          )}
        </Field>
        <Field label="Severity">
          {control => (
            <Select
              {...control}
              value={severity}
              onChange={setSeverity}
              options={[everything, 'critical', 'warning']}
            />
          )}
        </Field>
      </SearchBar>
      <Stale of={list} />
      {!list.items && list.error ? (
        <Failure error={list.error} what="history of alerts" onRetry={() => void list.reload()} />
      ) : (
        <Table
          label="History of alerts"
          columns={toColumns(units)}
          rows={list.items}
          rowKey={({ id }) => id}
          empty={<Empty title="Nothing fired">As far as anybody remembers, under these filters.</Empty>}
        />
      )}
      <More of={list} />
    </Panel>
  )
}

function toColumns(units: ReadonlyMap<string, string>): readonly Column<AlertEvent>[] {
  return [
    { header: 'Alert', cell: ({ name }) => <strong>{name}</strong> },
    { header: 'Event', cell: event => <Event of={event} /> },
    { header: 'When', cell: ({ at }) => <Time value={at} /> },
    { header: 'What', grow: true, cell: ({ summary }) => <bdi title={summary}>{summary}</bdi> },
    {
      header: 'Value',
      align: 'end',
      cell: ({ name, value }) => (value === null ? '–' : toUnit(value, units.get(name) ?? ''))
    },
    { header: 'Told', wide: true, cell: ({ deliveries }) => <Deliveries of={deliveries} /> }
  ]
}

function Event({ of: { event, severity } }: { readonly of: AlertEvent }) {
  const tone = event === 'cleared' ? 'ok' : severity === 'critical' ? 'bad' : 'warn'
  return (
    <Badge tone={tone} dot>
      {event}
    </Badge>
  )
}

const DELIVERY_TONES: Readonly<Record<AlertEvent['deliveries'][number]['state'], Tone>> = {
  delivered: 'neutral',
  pending: 'warn',
  given_up: 'bad'
}

function Deliveries({ of }: { readonly of: AlertEvent['deliveries'] }) {
  return (
    <span class="row row--line">
      {of.map(({ sink, state, attempts, at }) => (
        <Badge
          key={sink}
          tone={DELIVERY_TONES[state]}
          title={`${state.replace('_', ' ')}, ${attempts} attempts${at ? `, ${at}` : ''}`}
        >
          {sink}
          {state !== 'delivered' && ` ${state.replace('_', ' ')}`}
        </Badge>
      ))}
    </span>
  )
}
