import { ROLE, retry } from '../postgres.ts'
import type { System } from '../system.ts'
import { type Fault, type FaultContext, seconds } from './fault.ts'

const TABLES = ['messages', 'topic_status', 'fault_entries', 'fault_effects', 'dead_letters', 'outbox'] as const

/** Row 6: what PostgreSQL refuses; and the restored copy of row 12. */
export const databaseFaults: readonly Fault[] = [
  {
    row: 6,
    name: 'postgres-frozen',
    title: 'PostgreSQL is stopped by SIGSTOP of its first process: no new connection is answered',
    async inject({ system, signal }) {
      system.postgres.process.freeze()
      await seconds(system.isFull ? 60 : 4, signal)
      system.postgres.process.resume()
    }
  },
  {
    row: 6,
    name: 'terminate-storm',
    title: 'every backend is terminated, again and again',
    async inject({ system, random, signal }) {
      for (let round = 0; round < (system.isFull ? 100 : 10) && !signal.aborted; round += 1) {
        await system.postgres.admin`
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = ${system.database.name} AND usename = ${ROLE}`
        await seconds(0.1 + random.next() * 0.5, signal)
      }
    }
  },
  {
    row: 6,
    name: 'cancel-storm',
    title: 'every running statement is cancelled, again and again',
    async inject({ system, random, signal }) {
      for (let round = 0; round < 40 && !signal.aborted; round += 1) {
        await system.postgres.admin`
          SELECT pg_cancel_backend(pid) FROM pg_stat_activity
          WHERE datname = ${system.database.name} AND usename = ${ROLE} AND state <> 'idle'`
        await seconds(0.02 + random.next() * 0.1, signal)
      }
    }
  },
  {
    row: 6,
    name: 'read-only',
    title: 'the server refuses to write',
    inject: context => withServerSetting(context, 'default_transaction_read_only', 'on', context.system.isFull ? 60 : 3)
  },
  {
    row: 6,
    name: 'connections-exhausted',
    title: 'no connection is left, and those that are open break',
    async inject({ system, signal }) {
      const { admin } = system.postgres
      // Together with another fault the server may be away right now.
      await retry(() => admin`ALTER ROLE ${admin(ROLE)} CONNECTION LIMIT 0`)
      await retry(() => admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${ROLE}`)
      await seconds(system.isFull ? 60 : 3, signal)
      await retry(() => admin`ALTER ROLE ${admin(ROLE)} CONNECTION LIMIT -1`)
    }
  },
  {
    row: 6,
    name: 'table-locked',
    title: 'somebody holds a lock on a table',
    async inject({ system, random, signal }) {
      const table = random.pick(TABLES)
      system.note(`locks ${table}`)
      const lastingSeconds = system.isFull ? 30 : random.integer(2, 5)
      let isLocked = false
      const { sql } = system.database
      await retry(() =>
        sql
          .begin(async tx => {
            await tx.unsafe(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`)
            isLocked = true
            await seconds(lastingSeconds, signal)
          })
          .catch(error => {
            // Another fault ended it.
            if (!isLocked) throw error
          })
      )
    }
  },
  {
    row: 6,
    name: 'deadlocks',
    title: 'somebody locks the positions in the wrong order',
    async inject({ system, random, signal }) {
      for (let round = 0; round < 10 && !signal.aborted; round += 1) {
        const order = random.sample([0, 1, 2], 3)
        await system.database.sql
          .begin(async tx => {
            for (const partition of order) {
              await tx`SELECT FROM topic_status WHERE topic = 'entries' AND partition = ${partition} FOR UPDATE`
              await seconds(0.05, signal)
            }
          })
          // Of two that wait for each other PostgreSQL ends one; this time it was ours.
          .catch(() => undefined)
        await seconds(random.next() * 0.2, signal)
      }
    }
  },
  ...(['40001', '40P01', '55P03', '53100', '53200', '57P03'] as const).map(
    (state): Fault => ({
      row: 6,
      name: `sqlstate-${state}`,
      title: `a trigger raises ${state} for some statements`,
      inject: context => withTrigger(context, state)
    })
  ),
  {
    row: 8,
    name: 'runner-database-commit-lost',
    title: 'the link breaks in COMMIT, before it arrives or before its answer comes back',
    async inject({ system, random, signal }) {
      for (let round = 0; round < (system.isFull ? 50 : 6) && !signal.aborted; round += 1) {
        const links = system.runners.map(({ database }) => database)
        if (round % 2 === 0) await Promise.all(links.map(link => link.set({ heldAt: 'COMMIT\0' })))
        // Every COMMIT is done, and waits for a standby that there is not.
        else await setServer(system, 'synchronous_standby_names', "'nobody'")
        await seconds(0.4, signal)
        for (const link of links) link.reset()
        if (round % 2 === 0) await Promise.all(links.map(link => link.heal()))
        else await resetServer(system, 'synchronous_standby_names')
        await seconds(0.3 + random.next() * 0.5, signal)
      }
    }
  },
  {
    row: 6,
    name: 'privilege-revoked',
    title: 'a privilege is taken away: our fault, which ends a function for a while and no record',
    async inject({ system, signal }) {
      const { sql } = system.database
      await sql.unsafe(`REVOKE INSERT ON fault_entries FROM ${ROLE}`)
      await seconds(2, signal)
      await retry(() => sql.unsafe(`GRANT INSERT ON fault_entries TO ${ROLE}`))
    }
  },
  {
    row: 12,
    name: 'database-restored',
    title: 'PostgreSQL comes back as an older copy of itself, under running runners',
    setup: () => ({ rewinds: true }),
    async inject({ system, signal }) {
      await system.postgres.backUp()
      system.note('copied')
      await seconds(system.isFull ? 30 : 3, signal)
      await system.postgres.restore()
      system.note('restored')
    }
  },
  {
    row: 12,
    name: 'database-restored-idle',
    title: 'PostgreSQL comes back as an older copy of itself when nothing is produced any more',
    setup: () => ({ rewinds: true }),
    async inject({ system, loadDone, signal }) {
      await system.postgres.backUp()
      await loadDone
      await seconds(4, signal)
      await system.postgres.restore()
      system.note('restored')
      // Nobody writes, nobody joins: the positions are looked at by themselves.
      await seconds(1, signal)
    }
  },
  {
    row: 12,
    name: 'database-emptied',
    title: 'PostgreSQL comes back as it was before the first event: everything is handled again, unasked',
    setup: () => ({ rewinds: true }),
    async inject({ system }) {
      const tables = [
        ...['messages', 'dead_letters', 'topic_status', 'outbox', 'outbox_leases', 'function_states'],
        ...['fault_entries', 'fault_shipments', 'fault_poison', 'fault_effects', 'fault_counters', 'fault_late']
      ]
      await retry(() => system.database.sql.unsafe(`TRUNCATE ${tables.join(', ')} RESTART IDENTITY`))
    }
  }
]

async function withServerSetting(
  { system, signal }: FaultContext,
  setting: string,
  value: string,
  lastingSeconds: number
): Promise<void> {
  await setServer(system, setting, value)
  await seconds(lastingSeconds, signal)
  await resetServer(system, setting)
}

async function setServer({ postgres: { admin } }: System, setting: string, value: string): Promise<void> {
  await admin.unsafe(`ALTER SYSTEM SET ${setting} = ${value}`)
  await admin`SELECT pg_reload_conf()`
}

async function resetServer({ postgres: { admin } }: System, setting: string): Promise<void> {
  await retry(() => admin.unsafe(`ALTER SYSTEM RESET ${setting}`))
  await admin`SELECT pg_reload_conf()`
}

async function withTrigger({ system, random, signal }: FaultContext, state: string): Promise<void> {
  // Space or memory is missing for everybody; what two transactions do to each other comes now and then.
  const isForAll = /^5[37]/.test(state)
  const table = isForAll ? 'messages' : random.pick(['messages', 'fault_entries', 'fault_effects'])
  const { sql } = system.database
  system.note(`${state} for ${table}`)
  await retry(() =>
    sql.unsafe(`
      CREATE OR REPLACE FUNCTION fault_raise() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF random() < ${isForAll ? 1 : 0.02} THEN RAISE EXCEPTION 'a fault' USING ERRCODE = '${state}'; END IF;
        RETURN NEW;
      END $$`)
  )
  await retry(() =>
    sql.unsafe(`CREATE TRIGGER fault BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION fault_raise()`)
  )
  await seconds(system.isFull ? 30 : 3, signal)
  await retry(() => sql.unsafe(`DROP TRIGGER IF EXISTS fault ON ${table}`))
}
