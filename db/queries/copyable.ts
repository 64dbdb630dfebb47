import type { WriteTransaction } from '../write-transaction.ts'

/** A table as its function declares it. */
export interface DeclaredTable {
  /** As it stands in a statement. */
  readonly target: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

/**
 * Whether a COPY writes into a table what an INSERT writes: the INSERT makes values of the declared types, the COPY of the
 * table's own, and only the INSERT follows a rule.
 */
export async function isCopyable(tx: WriteTransaction, { target, columns }: DeclaredTable): Promise<boolean> {
  const found = await tx.query(
    `SELECT given.type AS declared, format_type(own.atttypid, own.atttypmod) AS type
     FROM json_to_recordset($2::text::json) AS given(name text, type text)
       JOIN pg_class AS relation ON relation.oid = to_regclass($1) AND NOT relation.relhasrules
       JOIN pg_attribute AS own ON own.attrelid = relation.oid AND own.attname = given.name
         AND own.atttypid = to_regtype(given.type)`,
    [target, JSON.stringify(columns)]
  )
  const isAsDeclared = ({ declared, type }: Record<string, unknown>) =>
    toModifier(String(declared)) === toModifier(String(type))
  return found.length === columns.length && found.every(isAsDeclared)
}

/** The length or precision in a type, such as 3 of `varchar(3)`; empty without one. A scale of 0 may be left out. */
function toModifier(type: string): string {
  const [, modifier = ''] = /\(([^)]*)\)/.exec(type) ?? []
  return modifier.toLowerCase().replaceAll(' ', '').replace(/,0$/, '')
}
