import { useEffect, useState } from 'preact/hooks'
import { onSession, readToken } from './session.ts'

/** The token of this tab, null without one; draws anew when one is wanted, given or forgotten. */
export function useSession(): string | null {
  const [, refresh] = useState(0)
  useEffect(() => onSession(() => refresh(count => count + 1)), [])
  return readToken()
}
