import { useState } from 'preact/hooks'
import { toPath } from '../list-query.ts'
import { go, Link, toHash, useRoute } from '../router.ts'
import type { AuditEntry } from '../shapes.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Field, SearchBar, Select, TextInput } from '../ui/field.tsx'
import { JsonView } from '../ui/json-view.tsx'
import { More, useLongList } from '../ui/long-list.tsx'
import { Empty, Failure } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { Time } from '../ui/values.tsx'

const FILTERS = ['operator', 'action', 'topic'] as const
const WORDS: Readonly<Record<AuditEntry['action'], string>> = {
  pause: 'Pause',
  resume: 'Resume',
  position: 'Move position',
  redrive: 'Redrive',
  redrive_many: 'Redrive many',
  discard: 'Discard',
  import: 'Import'
}
const ACTIONS = [{ value: '', label: 'All' }, ...Object.entries(WORDS).map(([value, label]) => ({ value, label }))]

/** What operators did, newest first. */
export function AuditPage() {
  const { query } = useRoute()
  const given = Object.fromEntries(FILTERS.map(name => [name, query.get(name) ?? '']))
  const [draft, setDraft] = useState<Readonly<Record<string, string>>>(given)
  const list = useLongList<AuditEntry>(toPath('/api/audit', given), 5_000)
  const put = (part: Readonly<Record<string, string>>) => setDraft({ ...draft, ...part })
  const isFiltered = Object.values(given).some(Boolean)

  return (
    <Page title="Audit" description="Who did what, and when." actions={<Stale of={list} />}>
      <Panel flush>
        <SearchBar label="Filters of the audit" onSubmit={() => go(toHash(['audit'], draft))}>
          <Field label="Action">
            {control => (
              <Select {...control} value={draft.action ?? ''} onChange={action => put({ action })} options={ACTIONS} />
            )}
          </Field>
          <Field label="Operator">
            {control => <TextInput {...control} value={draft.operator ?? ''} onInput={operator => put({ operator })} />}
          </Field>
          <Field label="Topic">
            {control => <TextInput {...control} value={draft.topic ?? ''} onInput={topic => put({ topic })} />}
          </Field>
          <div class="row">
            <Button type="submit">Filter</Button>
            {isFiltered && (
              <Button
                tone="quiet"
                onClick={() => {
                  setDraft({})
                  go('#/audit')
                }}
              >
                Clear
              </Button>
            )}
          </div>
        </SearchBar>
        {!list.items && list.error ? (
          <Failure error={list.error} what="audit" onRetry={() => void list.reload()} />
        ) : (
          <Entries items={list.items} isFiltered={isFiltered} />
        )}
        <More of={list} />
      </Panel>
    </Page>
  )
}

interface EntriesProps {
  readonly items: readonly AuditEntry[] | undefined
  readonly isFiltered: boolean
}

function Entries({ items, isFiltered }: EntriesProps) {
  const [open, setOpen] = useState<string | null>(null)
  const columns: readonly Column<AuditEntry>[] = [
    { header: 'Action', cell: ({ action }) => <Badge>{WORDS[action] ?? action}</Badge> },
    { header: 'When', cell: ({ at }) => <Time value={at} /> },
    { header: 'Operator', cell: ({ operator }) => operator ?? <span class="faint">without a token</span> },
    {
      header: 'Topic',
      cell: ({ topic }) => (topic ? <Link to={toHash(['functions', topic])}>{topic}</Link> : '')
    },
    { header: 'Request', minor: true, grow: true, mono: true, cell: ({ requestId }) => requestId ?? 'a command' },
    {
      header: 'Details',
      align: 'end',
      cell: ({ id }) => (
        <Button small tone="quiet" expanded={open === id} onClick={() => setOpen(open === id ? null : id)}>
          {open === id ? 'Hide' : 'Show'}
        </Button>
      )
    }
  ]
  return (
    <Table
      label="Audit"
      columns={columns}
      rows={items}
      rowKey={({ id }) => id}
      detail={entry => (entry.id === open ? <JsonView value={entry.details} label="Details" /> : null)}
      empty={
        <Empty title={isFiltered ? 'Nothing matches' : 'Nothing yet'}>
          Pauses, resumes, redrives, discards and moved positions appear here.
        </Empty>
      }
    />
  )
}
