import { type ComponentChildren, h } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { parseRoute, type Route } from './route.ts'

export { toHash } from './route.ts'

/** Where the console is now; the component is drawn again when that changes. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash))
  useEffect(() => {
    const update = () => setRoute(parseRoute(location.hash))
    addEventListener('hashchange', update)
    update()
    return () => removeEventListener('hashchange', update)
  }, [])
  return route
}

interface GoOptions {
  /** In place of where the console is, without a step back to it: for filters. */
  readonly replace?: boolean
}

/** Goes to a fragment, `#/…`. */
export function go(hash: string, { replace = false }: GoOptions = {}): void {
  if (location.hash === hash) return
  if (!replace) {
    location.hash = hash
    return
  }
  history.replaceState(null, '', hash)
  dispatchEvent(new HashChangeEvent('hashchange'))
}

interface LinkProps {
  readonly to: string
  readonly class?: string
  readonly title?: string
  readonly current?: boolean
  readonly children: ComponentChildren
}

/** A link inside the console. */
export function Link({ to, current = false, children, ...rest }: LinkProps) {
  return h('a', { href: to, 'aria-current': current ? 'page' : undefined, ...rest }, children)
}
