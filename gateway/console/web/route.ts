import { toPath } from './list-query.ts'

/** Where the console is: `#/topics/a?x=1` has the path `/topics/a`, the segments `topics` and `a`, and the query x=1. */
export interface Route {
  readonly path: string
  readonly segments: readonly string[]
  readonly query: URLSearchParams
}

/** Reads a fragment; anything that is none of ours is the overview. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s)
  const segments = path.split('/').filter(Boolean).map(decode)
  return { path: `/${path}`, segments, query: new URLSearchParams(query) }
}

/** Builds a fragment of segments that may hold any text, and a query without what is empty. */
export function toHash(segments: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  return toPath(`#/${segments.map(encodeURIComponent).join('/')}`, query)
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
