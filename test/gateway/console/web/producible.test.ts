import t from 'tap'
import { toProducible } from '../../../../gateway/console/web/producible.ts'

const schema = { type: 'object', properties: {} }
const post = { requestBody: { content: { 'application/json': { schema } } } }

t.test('finds what can be produced to in the description of the API', async t => {
  const paths = {
    '/api/produce/orders': { post },
    '/api/produce/orders/batch': { post },
    '/api/produce/{topic}': { post },
    '/api/produce/empty': {},
    '/api/messages': { post }
  }

  t.strictSame(toProducible({ paths }), [{ topic: 'orders', schema, state: null, reason: null }])
})
