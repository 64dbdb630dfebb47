import type { GatewayQueries } from '../db/queries/gateway.ts'
import type { ClusterView, Producer } from '../kafka/types.ts'
import { gatewayErrors } from './errors.ts'
import { within } from './within.ts'

type State = 'ok' | 'degraded' | 'down'

/** The states of the gateway and of what it needs. */
export interface Health {
  /** `down` when nothing can be produced; `degraded` when reads or a function are away. */
  readonly status: State
  readonly checks: { readonly kafka: State; readonly database: State; readonly functions: State }
}

interface HealthDependencies {
  readonly producer: Pick<Producer, 'isHealthy'>
  readonly cluster: Pick<ClusterView, 'brokers'>
  readonly queries: Pick<GatewayQueries, 'functionStates'>
}

const TIMEOUT_MS = 1_000
// The route is open to everybody: asking often must not cost Kafka and PostgreSQL anything.
const MAX_AGE_MS = 1_000

/** Builds the check of health: at most one run a second, each settled within a second. */
export function createHealth({ producer, cluster, queries }: HealthDependencies) {
  let last: { atMs: number; health: Promise<Health> } | null = null

  return function checkHealth(): Promise<Health> {
    const nowMs = performance.now()
    if (!last || nowMs - last.atMs >= MAX_AGE_MS) last = { atMs: nowMs, health: check() }
    return last.health
  }

  async function check(): Promise<Health> {
    const [kafka, states] = await Promise.all([askKafka(), askDatabase()])
    const database: State = states === null ? 'down' : 'ok'
    const functions = toFunctionState(states ?? [])
    const status = kafka === 'down' ? 'down' : [kafka, database, functions].every(isOk) ? 'ok' : 'degraded'
    return { status, checks: { kafka, database, functions } }
  }

  async function askKafka(): Promise<State> {
    const brokers = await within(cluster.brokers(), TIMEOUT_MS, late).catch((): readonly number[] => [])
    if (brokers.length === 0) return 'down'
    return producer.isHealthy() ? 'ok' : 'degraded'
  }

  function askDatabase(): Promise<readonly { state: string }[] | null> {
    const states: Promise<readonly { state: string }[]> = queries.functionStates.all()
    return within(states, TIMEOUT_MS, late).catch(() => null)
  }
}

export type CheckHealth = ReturnType<typeof createHealth>

function isOk(state: State): boolean {
  return state === 'ok'
}

function toFunctionState(states: readonly { state: string }[]): State {
  const stopped = states.filter(({ state }) => state === 'stopped').length
  if (stopped === 0) return 'ok'
  return stopped === states.length ? 'down' : 'degraded'
}

function late() {
  return new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY()
}
