import t from 'tap'
import type { SendReport } from '../../../kafka/types.ts'
import { buildApp, fakeCluster, fakeProducer, fakeQueries } from '../_support/build-app.ts'
import { isDocumented } from '../_support/documented.ts'

const counts = { topicId: null, rowCount: 0, duplicateCount: 0, lostCount: 4, lastMessageAt: null, nextOffset: 8n }
const status = { ...counts, groupId: 'smg.notifications', topic: 'notifications', partition: 1 }

t.test('GET /metrics', async t => {
  const tell: ((send: SendReport) => void)[] = []
  const app = await buildApp(t, {
    steadyMs: () => 0,
    queries: fakeQueries({
      topicStatus: { all: async () => [{ ...status, messageCount: 5, deadLetterCount: 3 }] },
      functionStates: {
        all: async () => [
          { groupId: 'smg.notifications', topic: 'notifications', state: 'stopped', reason: 'x', since: '' },
          { groupId: 'smg.error-logs', topic: 'error-logs', state: 'stopped', reason: 'x', since: '', isFlood: true }
        ]
      },
      stats: {
        outbox: async () => ({ waiting: 6, oldestSeconds: 7.5, refused: 0 }),
        deadLetters: async () => new Map([['notifications', { waiting: 2, oldestSeconds: 90 }]])
      }
    }),
    producer: fakeProducer({
      queuedBytes: () => 77,
      sendsInFlight: () => 2,
      onSend: call => void tell.push(call)
    })
  })
  await app.sampler.sample()
  await app.inject({ method: 'POST', url: '/api/produce/user-activities', payload: { userId: 'u', action: 'a' } })
  for (const path of ['a', 'b']) await app.inject(`/nowhere/${path}`)
  tell[0]?.({ records: 3, bytes: 900, durationMs: 4, failure: null })
  tell[0]?.({ records: 1, bytes: 100, durationMs: 2_500, failure: 'NOT_ENOUGH_REPLICAS' })

  const response = await app.inject('/metrics')
  const lines = response.body.split('\n')
  const http = (labels: string) => `http_server_request_duration_seconds_count{${labels}} `
  const partition = '{topic="notifications",partition="1"}'

  for (const line of [
    'smg_producer_queued_bytes 77',
    'smg_producer_sends_in_flight 2',
    'smg_waiting_requests 0',
    'messaging_client_sent_messages_total{messaging_destination_name="user-activities",error_type=""} 1',
    'messaging_client_operation_duration_seconds_bucket{le="0.005",messaging_operation_name="send",error_type=""} 1',
    'messaging_client_operation_duration_seconds_sum{messaging_operation_name="send",error_type="NOT_ENOUGH_REPLICAS"} 2.5',
    'smg_producer_send_records_sum 4',
    'smg_producer_send_bytes_count 2',
    `smg_lag_records${partition} 2`,
    `smg_lag_seconds${partition} 5`,
    `smg_position${partition} 8`,
    `smg_log_end_offset${partition} 10`,
    `smg_log_start_offset${partition} 0`,
    'smg_lag_records{topic="notifications",partition="0"} 10',
    'smg_time_to_drain_seconds{topic="notifications"} +Inf',
    'smg_topic_messages{topic="notifications"} 5',
    'smg_topic_dead_letters{topic="notifications"} 3',
    'smg_topic_lost_records{topic="notifications"} 4',
    'smg_dead_letters_waiting{topic="notifications"} 2',
    'smg_dead_letters_oldest_seconds{topic="notifications"} 90',
    'smg_dead_letters_waiting{topic="error-logs"} 0',
    'smg_function_running{topic="notifications"} 0',
    'smg_function_running{topic="error-logs"} 0',
    'smg_function_running{topic="user-activities"} 1',
    'smg_function_state{topic="error-logs",state="flooded"} 1',
    'smg_function_state{topic="error-logs",state="stopped"} 0',
    'smg_function_state{topic="notifications",state="stopped"} 1',
    'smg_function_state{topic="notifications",state="running"} 0',
    'smg_outbox_waiting 6',
    'smg_outbox_oldest_seconds 7.5',
    'smg_database_up 1',
    'smg_database_failures_total 0',
    'smg_database_size_bytes 1024',
    'db_client_connection_count{state="used"} 1',
    'db_client_connection_count{state="idle"} 2',
    'db_client_operation_duration_seconds_count{db_operation_name="topicStatus.all"} 1',
    'smg_kafka_up 1',
    'smg_kafka_brokers 1',
    'smg_kafka_brokers_expected 1',
    'smg_kafka_under_replicated_partitions 0',
    'smg_kafka_disk_used_ratio 0.25',
    `${http('http_request_method="POST",http_route="/api/produce/user-activities",http_response_status_code="202"')}1`,
    `${http('http_request_method="GET",http_route="none",http_response_status_code="404"')}2`
  ]) {
    t.ok(lines.includes(line), line)
  }
  t.notOk(
    lines.some(line => line.startsWith('smg_position{topic="notifications",partition="0"}')),
    'there is none'
  )
  t.match(response.body, /process_cpu_seconds_total/)
  t.match(response.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  isDocumented(t, app, response)
})

t.test('GET /metrics says nothing of what nobody knows', async t => {
  const app = await buildApp(t, { cluster: fakeCluster({ logDirs: async () => null }) })
  const names = async () => new Set((await app.inject('/metrics')).body.match(/^smg_\w+/gm))

  const before = await names()
  await app.sampler.sample()
  const after = await names()

  for (const name of ['smg_kafka_up', 'smg_database_up', 'smg_kafka_brokers', 'smg_database_size_bytes']) {
    t.notOk(before.has(name), name)
    t.ok(after.has(name), name)
  }
  t.notOk(after.has('smg_kafka_disk_used_ratio'))
})

t.test('GET /metrics has few labels, whatever clients send', async t => {
  const app = await buildApp(t)
  for (let index = 0; index < 50; index += 1) {
    await app.inject(`/api/messages/${index}?key=k-${index}`)
    await app.inject({ method: 'POST', url: `/api/produce/topic-${index}`, payload: {} })
    await app.inject({ method: 'PROPFIND' as 'GET', url: `/x/${index}` })
  }

  const { body } = await app.inject('/metrics')
  t.notMatch(body, /topic-7|k-7|\/x\/7|messages\/7/)
  t.ok((body.match(/^http_server_request_duration_seconds_count/gm)?.length ?? 0) <= 4)
})
