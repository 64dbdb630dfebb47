import { existsSync } from 'node:fs'
import { defineFunction, Type } from 'smg-kafka'

/** Takes orders while the till is open: the test closes it by a file. */
export default defineFunction({
  event: Type.Object({
    orderId: Type.String({ minLength: 1, maxLength: 64, examples: ['order-1'] }),
    amountCents: Type.Integer({ minimum: 1, examples: [1999] }),
    channel: Type.Optional(Type.Union([Type.Literal('web'), Type.Literal('shop')])),
    isGift: Type.Optional(Type.Boolean()),
    note: Type.Optional(Type.String({ maxLength: 2_000_000 })),
    address: Type.Optional(
      Type.Object({ street: Type.String({ examples: ['1 Way'] }), lines: Type.Array(Type.String()) })
    )
  }),
  key: event => event.orderId,
  maxAttempts: 1,
  handle({ event }) {
    if (existsSync(process.env.CLOSED_TILL ?? '')) throw new Error('the till is closed')
    if (event.note?.startsWith('refuse')) throw new TypeError(`cannot take ${event.note.slice(0, 200)}`)
  }
})
