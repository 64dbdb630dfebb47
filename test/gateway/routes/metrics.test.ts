import t from 'tap'
import { buildApp, fakeProducer, fakeQueries } from '../_support/build-app.ts'
import { isDocumented } from '../_support/documented.ts'

t.test('GET /metrics', async t => {
  const counts = { topicId: null, rowCount: 0, duplicateCount: 0, lostCount: 4, lastMessageAt: null, nextOffset: 8n }
  const status = { ...counts, groupId: 'smg.notifications', topic: 'notifications', partition: 1 }
  const all = async () => [{ ...status, messageCount: 5, deadLetterCount: 3 }]
  const app = await buildApp(t, {
    queries: fakeQueries({ topicStatus: { all } }),
    producer: fakeProducer({ queuedBytes: () => 77 })
  })
  await app.sampler.sample()
  await app.inject({ method: 'POST', url: '/api/produce/user-activities', payload: { userId: 'u', action: 'a' } })
  for (const path of ['a', 'b']) await app.inject(`/nowhere/${path}`)

  const response = await app.inject('/metrics')
  const lines = response.body.split('\n')

  for (const line of [
    'smg_producer_queued_bytes 77',
    'smg_produced_events_total{topic="user-activities",result="accepted"} 1',
    'smg_topic_lag{topic="notifications",group="smg.notifications",partition="1"} 2',
    'smg_topic_messages{topic="notifications"} 5',
    'smg_topic_dead_letters{topic="notifications"} 3',
    'smg_topic_lost_records{topic="notifications"} 4',
    'smg_http_request_duration_seconds_count{method="POST",route="/api/produce/user-activities",status="202"} 1',
    'smg_http_request_duration_seconds_count{method="GET",route="none",status="404"} 2'
  ]) {
    t.ok(lines.includes(line), line)
  }
  t.match(response.body, /process_cpu_seconds_total/)
  t.match(response.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  isDocumented(t, app, response)
})
