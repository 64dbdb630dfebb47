import type { Query } from './blocked-keys.ts'
import { toArray } from './to-array.ts'

/** The note of a dead letter that is being redriven. */
export interface RedriveNote {
  /** How often it was begun alone, by whatever process; 0 when it was one of many. */
  readonly starts: number
  /** What was noted before; null when nothing was. */
  readonly before: number | null
}

/** Gives what is noted of some dead letters, by id; one without a note is missing. */
export async function findRedriveTrials(query: Query, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map()
  const rows = await query(
    'SELECT dead_letter_id AS id, starts FROM redrive_trials WHERE dead_letter_id = ANY ($1::text::uuid[])',
    [toArray(ids)]
  )
  return new Map(rows.map(({ id, starts }) => [String(id), Number(starts)]))
}

/** Notes that dead letters are about to be redriven; only whoever has their locks may. */
export async function noteRedriveTrials(query: Query, notes: ReadonlyMap<string, RedriveNote>): Promise<void> {
  if (notes.size === 0) return
  await query(
    `INSERT INTO redrive_trials (dead_letter_id, starts)
     SELECT id, starts FROM json_to_recordset($1::text::json) AS note(id uuid, starts int) ORDER BY id
     ON CONFLICT (dead_letter_id) DO UPDATE SET starts = excluded.starts`,
    [toJson(notes)]
  )
}

/** Puts back what was noted before: no process ended. Another runner may have begun meanwhile; its note stays. */
export async function restoreRedriveTrials(query: Query, notes: ReadonlyMap<string, RedriveNote>): Promise<void> {
  if (notes.size === 0) return
  await query(
    `WITH note AS MATERIALIZED
       (SELECT * FROM json_to_recordset($1::text::json) AS note(id uuid, starts int, before int)),
     gone AS (DELETE FROM redrive_trials AS trial USING note
       WHERE trial.dead_letter_id = note.id AND trial.starts = note.starts AND note.before IS NULL)
     UPDATE redrive_trials AS trial SET starts = note.before FROM note
     WHERE trial.dead_letter_id = note.id AND trial.starts = note.starts AND note.before IS NOT NULL`,
    [toJson(notes)]
  )
}

/** Removes the notes of dead letters: in the transaction that settles them. */
export async function endRedriveTrials(query: Query, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await query('DELETE FROM redrive_trials WHERE dead_letter_id = ANY ($1::text::uuid[])', [toArray(ids)])
}

function toJson(notes: ReadonlyMap<string, RedriveNote>): string {
  return JSON.stringify([...notes].map(([id, note]) => ({ id, ...note })))
}
