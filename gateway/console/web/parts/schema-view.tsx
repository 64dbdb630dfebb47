import { useMemo, useState } from 'preact/hooks'
import { type SchemaRow, toSchemaRows } from '../schema-rows.ts'
import { JsonView } from '../ui/json-view.tsx'
import { Empty } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { Tabs } from '../ui/tabs.tsx'

type View = 'members' | 'schema'

const tabs = [
  { name: 'members', label: 'Members' },
  { name: 'schema', label: 'JSON Schema' }
] as const

/** What an event of a function may hold: as a table to read, or as the schema itself. */
export function SchemaView({ schema }: { readonly schema: unknown }) {
  const [view, setView] = useState<View>('members')
  // Polled again and again, and always equal: the rows are made when it really differs.
  const text = JSON.stringify(schema)
  const rows = useMemo(() => toSchemaRows(schema), [text])

  return (
    <Panel title="Event" flush>
      <Tabs<View> label="Views of the schema" tabs={tabs} current={view} onChange={setView}>
        {view === 'members' ? (
          <Table
            label="Members of an event"
            columns={columns}
            rows={rows}
            rowKey={({ path }) => path}
            empty={<Empty title="Any JSON">The schema names no members.</Empty>}
          />
        ) : (
          <JsonView value={schema} open={3} label="JSON Schema" />
        )}
      </Tabs>
    </Panel>
  )
}

const columns: readonly Column<SchemaRow>[] = [
  {
    header: 'Member',
    mono: true,
    cell: ({ name, depth }) => <span style={{ paddingLeft: `${depth * 16}px` }}>{name}</span>
  },
  { header: 'Type', mono: true, cell: ({ type }) => <span class="schema-type">{type}</span> },
  {
    header: 'Needed',
    cell: ({ isRequired }) => (isRequired ? 'required' : <span class="faint">optional</span>)
  },
  {
    header: 'Rules',
    grow: true,
    cell: ({ rules, description }) => {
      const words = [...rules, ...(description ? [description] : [])].join(', ')
      return words ? <span class="muted lines">{words}</span> : null
    }
  }
]
