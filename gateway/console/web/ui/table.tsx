import type { ComponentChildren } from 'preact'
import { Empty, Skeleton } from './notice.tsx'
import { ScrollRegion } from './scroll-region.tsx'

export interface Column<Row> {
  /** Its heading, and the label of its value where rows are cards. */
  readonly header: string
  readonly cell: (row: Row) => ComponentChildren
  /** Numbers stand at the end. */
  readonly align?: 'start' | 'end'
  /** Takes what room is left, and cuts what is too long. */
  readonly grow?: boolean
  /** Left out where it is narrow. */
  readonly minor?: boolean
  readonly mono?: boolean
  /** Takes a line of its own where rows are cards. */
  readonly wide?: boolean
}

interface TableProps<Row> {
  /** What it lists, for screen readers. */
  readonly label: string
  readonly columns: readonly Column<Row>[]
  /** Undefined while the first answer is under way. */
  readonly rows: readonly Row[] | undefined
  readonly rowKey: (row: Row) => string
  /** Makes the row a link, by its first column. */
  readonly rowHref?: (row: Row) => string | null
  /** Below a row, in all its width; null for none. */
  readonly detail?: (row: Row) => ComponentChildren
  readonly empty?: ComponentChildren
}

/** A table; where it is narrow, each row is a card. */
export function Table<Row>(props: TableProps<Row>) {
  const { label, columns, rows, rowKey, empty = <Empty title="Nothing here yet" /> } = props
  if (rows === undefined) return <Skeleton lines={4} />
  if (rows.length === 0) return <>{typeof empty === 'string' ? <Empty title={empty} /> : empty}</>

  return (
    <ScrollRegion class="table-scroll" label={label}>
      <table class="table">
        <thead>
          <tr>
            {columns.map(column => (
              <th key={column.header} scope="col" class={classOf({ ...column, mono: false })}>
                {column.header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <RowOf key={rowKey(row)} row={row} {...props} />
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  )
}

function RowOf<Row>({ row, columns, rowHref, detail }: TableProps<Row> & { readonly row: Row }) {
  const href = rowHref?.(row) ?? null
  const below = detail?.(row) ?? null
  return (
    <>
      <tr class={href === null ? '' : 'table__linked'}>
        {columns.map((column, index) => (
          <td key={column.header} class={classOf(column)} data-label={column.header}>
            {href !== null && index === 0 ? (
              <a class="table__link" href={href}>
                {column.cell(row)}
              </a>
            ) : (
              column.cell(row)
            )}
          </td>
        ))}
      </tr>
      {below !== null && (
        <tr class="table__detail">
          <td colSpan={columns.length}>{below}</td>
        </tr>
      )}
    </>
  )
}

function classOf({ align, grow, minor, mono, wide }: Column<never>): string {
  return [align === 'end' && 'is-end', grow && 'is-grow', minor && 'is-minor', mono && 'mono', wide && 'is-wide']
    .filter(Boolean)
    .join(' ')
}
