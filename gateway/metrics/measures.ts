import { collectDefaultMetrics, Registry } from 'prom-client'
import type { SendReport } from '../../kafka/types.ts'
import { createCounter, createHistogram } from '../../sdk/series.ts'
import type { QueryReport } from '../guard-queries.ts'
import { keep } from '../keep.ts'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const RECORDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]
const BYTES = [256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216]

/** What a gateway measures while it works. The registry is its own: two apps of a process do not clash. */
export type Measures = ReturnType<typeof createMeasures>

/**
 * Builds the measures of one gateway, under the names of OpenTelemetry's conventions where there are any
 * (https://opentelemetry.io/docs/specs/semconv/). Labels are routes, topics, queries and codes: never what clients choose.
 */
export function createMeasures() {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const openRequest = createHistogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time to answer',
    buckets: SECONDS,
    registry
  })
  const request = keep((route: string) =>
    keep((method: string) =>
      keep((status: number) =>
        openRequest({ http_request_method: method, http_route: route, http_response_status_code: String(status) })
      )
    )
  )
  const openSent = createCounter({
    name: 'messaging_client_sent_messages_total',
    help: 'Events by topic and error; without one they are in Kafka',
    labelNames: ['messaging_destination_name', 'error_type'],
    registers
  })
  const sent = keep((topic: string) =>
    keep((error: string) => openSent({ messaging_destination_name: topic, error_type: error }))
  )
  const openSend = createHistogram({
    name: 'messaging_client_operation_duration_seconds',
    help: 'Time of one send to Kafka, until every in-sync replica has acknowledged it or it failed',
    buckets: SECONDS,
    registry
  })
  const sendSeconds = keep((error: string) => openSend({ messaging_operation_name: 'send', error_type: error }))
  const sendRecords = createHistogram({
    name: 'smg_producer_send_records',
    help: 'Records of one send',
    buckets: RECORDS,
    registry
  })({})
  const sendBytes = createHistogram({
    name: 'smg_producer_send_bytes',
    help: 'Bytes of one send, before compression',
    buckets: BYTES,
    registry
  })({})
  const openQuery = createHistogram({
    name: 'db_client_operation_duration_seconds',
    help: 'Time of one query of the gateway, with its wait for a connection',
    buckets: SECONDS,
    registry
  })
  const query = keep((name: string) => openQuery({ db_operation_name: name }))
  const failed = createCounter({
    name: 'smg_database_failures_total',
    help: 'Queries that found PostgreSQL away, or too slow',
    labelNames: [],
    registers
  })({})

  return {
    registry,
    /** @param route its pattern, never the path */
    onRequest(method: string, route: string, status: number, seconds: number): void {
      request(route)(method)(status)(seconds)
    },
    /** @param error its code, empty when the event was accepted */
    onSent(topic: string, error: string): void {
      sent(topic)(error)(1)
    },
    onSend({ records, bytes, durationMs, failure }: SendReport): void {
      sendSeconds(failure ?? '')(durationMs / 1000)
      sendRecords(records)
      sendBytes(bytes)
    },
    onQuery({ name, durationMs, isAway }: QueryReport): void {
      query(name)(durationMs / 1000)
      if (isAway) failed(1)
    }
  }
}
