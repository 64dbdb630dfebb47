import { defineFunction, Type } from 'smg-kafka'

/** What `transfers` publishes; it has no effect but its messages. */
export default defineFunction({
  event: Type.Object({ account: Type.String(), n: Type.Integer() }),
  key: event => event.account
})
