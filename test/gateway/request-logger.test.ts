import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import t from 'tap'
import { createRequestLogger } from '../../gateway/request-logger.ts'

function collect() {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: text => void lines.push(JSON.parse(text)) })
  let children = 0
  const parent: FastifyBaseLogger = Object.assign(Object.create(log), {
    child(bindings: Record<string, unknown>) {
      children += 1
      return log.child(bindings)
    }
  })
  return { lines, parent, children: () => children }
}

t.test('makes no logger for a request that writes nothing', async t => {
  const { parent, lines, children } = collect()

  const request = createRequestLogger(parent, { reqId: 'r1' })

  t.equal(request.level, 'debug')
  t.equal(children(), 0)
  t.strictSame(lines, [])
})

t.test('names the request in every line, at every level', async t => {
  const { parent, lines, children } = collect()
  const request = createRequestLogger(parent, { reqId: 'r1' })

  request.debug('one')
  request.info({ a: 1 }, 'two')
  request.warn('three %s', 'x')
  request.error(new Error('four'))
  request.fatal('five')
  request.trace('below the level')
  request.child({ part: 'p' }).info('six')

  t.match(lines, [
    { level: 20, reqId: 'r1', msg: 'one' },
    { level: 30, reqId: 'r1', msg: 'two', a: 1 },
    { level: 40, reqId: 'r1', msg: 'three x' },
    { level: 50, reqId: 'r1', err: { message: 'four' } },
    { level: 60, reqId: 'r1', msg: 'five' },
    { level: 30, reqId: 'r1', part: 'p', msg: 'six' }
  ])
  t.equal(lines.length, 6)
  t.equal(children(), 1)
})
