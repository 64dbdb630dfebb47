import t from 'tap'
import { startProcesses } from '../_support/processes.ts'

interface Seen {
  readonly ids: string[]
  skipped: number
  lastId: string
}

/** Reads a stream until `stop`. */
function follow(url: string, lastId?: string) {
  const ended = new AbortController()
  const seen: Seen = { ids: [], skipped: 0, lastId: '' }
  const headers: Record<string, string> = lastId ? { 'last-event-id': lastId } : {}
  const reading = read().catch(error => {
    if (!ended.signal.aborted) throw error
  })

  async function read() {
    const response = await fetch(url, { headers, signal: ended.signal })
    let text = ''
    for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const blocks = (text + part).split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) take(block)
    }
  }

  function take(block: string) {
    const { id, event, data } = Object.fromEntries(
      block.split('\n').map(line => line.split(/: (.*)/s).slice(0, 2))
    ) as Record<string, string>
    if (event === 'skipped') seen.skipped += JSON.parse(data ?? '').count
    if (event !== 'message') return
    seen.ids.push(JSON.parse(data ?? '').id)
    seen.lastId = id ?? ''
  }

  return {
    seen,
    async stop() {
      ended.abort()
      await reading
    }
  }
}

t.test('shows what is settled as it comes, goes on where it was, and counts a flood', async t => {
  const topic = 'user-activities'
  const processes = await startProcesses(t, { environment: { FUNCTIONS: topic } })
  const { gatewayUrl, produce, until } = processes
  const url = `${gatewayUrl}/api/messages/stream?topic=${topic}`
  const activities = (count: number) => Array.from({ length: count }, (_, n) => ({ userId: `u${n % 50}`, action: 'a' }))
  const settled = async (count: number) => {
    const [row] = await processes.sql`SELECT sum(message_count)::int AS count FROM topic_status`
    return row?.count === count
  }
  await produce(topic, activities(10))
  await until(() => settled(10))

  const first = follow(url)
  t.teardown(first.stop)
  // Nobody knows when a stream has begun but by what it shows: one event is sent until it comes.
  const begun: string[] = []
  await until(async () => {
    begun.push(...(await produce(topic, activities(1))))
    return first.seen.ids.length > 0
  })
  const shown = await produce(topic, activities(20))
  await until(() => shown.every(id => first.seen.ids.includes(id)))
  await first.stop()
  t.equal(new Set(first.seen.ids).size, first.seen.ids.length, 'each once')
  t.ok(
    first.seen.ids.every(id => begun.includes(id) || shown.includes(id)),
    'nothing from before it began'
  )

  const missed = await produce(topic, activities(30))
  await until(() => settled(10 + begun.length + shown.length + missed.length))
  const second = follow(url, first.seen.lastId)
  t.teardown(second.stop)
  await until(() => second.seen.ids.length >= 30)
  t.strictSame(second.seen.ids.toSorted(), missed.toSorted(), 'what it missed, and nothing again')

  const flood = await produce(topic, activities(5_000))
  await until(() => second.seen.ids.length + second.seen.skipped >= 30 + flood.length, { timeoutMs: 60_000 })
  t.equal(second.seen.ids.length + second.seen.skipped, 30 + flood.length)
  t.ok(second.seen.skipped > 0, `${second.seen.skipped} were counted`)

  await processes.kill('gateway', 'SIGTERM')
  t.match(processes.output('gateway'), /ended: .*\b0\b/, 'a stream does not hold the gateway up')
})
