import type { Sql } from 'postgres'

/** What the driver's queries are besides promises: `handle` is called whenever somebody wants the result. */
interface Query {
  executed: boolean
  handle: () => void
  readonly handler: (query: Query) => void
}

/**
 * Gives a client whose statements are sent from a timer, a millisecond later than asked for.
 *
 * A reset is told in two events, `error` and `close`, and the driver (postgres.js 3.4.9) takes statements for the
 * connection in between. One on an idle connection is not sent and yet resolves, empty, when it has connected again; on a
 * busy one it is never answered, and nothing that uses the connection after it; one from an immediate lets the next
 * connects time out. The two events come in one turn of the event loop, and no timer between them: libuv runs timers
 * when what was closed has been told, before it looks for more.
 *
 * Statements inside `begin` and `reserve` go the driver's way.
 */
export function sendInTurn(sql: Sql): Sql {
  return new Proxy(sql, {
    apply: (client, self, parts) => toTimer(Reflect.apply(client, self, parts)),
    get(client, name) {
      if (name === 'unsafe') return (...call: Parameters<Sql['unsafe']>) => toTimer(client.unsafe(...call))
      return Reflect.get(client, name)
    }
  })
}

function toTimer<Q>(made: Q): Q {
  // What only goes into a statement, such as a list of columns, is no promise; a fragment is one, and nobody wants it.
  if (!(made instanceof Promise)) return made
  const query = made as unknown as Query
  query.handle = () => {
    if (query.executed) return
    query.executed = true
    setTimeout(query.handler, 0, query)
  }
  return made
}
