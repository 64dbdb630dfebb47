import type { WriteTransaction } from '../write-transaction.ts'

type Query = WriteTransaction['query']

/** What a gateway asks of the lease with each turn. */
export interface LeaseClaim {
  /** Of the process. */
  readonly instance: string
  /** From now; also the age up to which the report of another gateway counts. */
  readonly leaseMs: number
}

/**
 * Takes the lease of the gateway that evaluates for all, renews it, or yields it: a gateway that does not see Kafka
 * leaves it to one that does. When nobody sees Kafka, somebody has to say so, and who leads goes on.
 *
 * Ask in a turn, behind the report: turns come one after the other, so that two never take it at once. No lock of a
 * session, which a pooler in transaction mode would leave on a connection that is everybody's.
 */
export async function claimLease(query: Query, claim: LeaseClaim): Promise<{ leads: boolean; nowMs: number }> {
  const [row] = await query(
    `WITH others AS (
       SELECT coalesce(bool_or(leads_until > clock_timestamp()), false) AS lead,
         coalesce(bool_or(sees_kafka AND reported_at > clock_timestamp() - $2::float8 * interval '1 millisecond'), false)
           AS see
       FROM gateway_reports WHERE instance <> $1::uuid)
     UPDATE gateway_reports AS own SET leads_until = CASE
       WHEN others.lead OR (others.see AND NOT own.sees_kafka) THEN NULL
       ELSE clock_timestamp() + $2::float8 * interval '1 millisecond' END
     FROM others WHERE own.instance = $1::uuid
     RETURNING own.leads_until IS NOT NULL AS leads, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`,
    [claim.instance, claim.leaseMs]
  )
  return { leads: row?.leads === true, nowMs: Math.round(Number(row?.now)) }
}

/** Gives the lease up, and takes back what was said of Kafka: nobody leaves the lease to a gateway that is gone. */
export async function giveUpLease(query: Query, instance: string): Promise<void> {
  await query('UPDATE gateway_reports SET leads_until = NULL, sees_kafka = false WHERE instance = $1::uuid', [instance])
}
