/** A notice of an alert, as the gateway's history has it. */
interface Notice {
  readonly name: string
  readonly event: 'fired' | 'cleared'
}

/** Names of the alerts that a gateway says to fire now. */
export async function readFiring(url: string): Promise<string[]> {
  const { items } = await ask<{ readonly name: string; readonly state: string }>(url, '/api/alerts')
  return items.filter(({ state }) => state === 'firing').map(({ name }) => name)
}

/** Names of the alerts that ever fired, each once. */
export async function readFired(url: string): Promise<string[]> {
  const { items } = await ask<Notice>(url, '/api/alerts/history?limit=100')
  return [...new Set(items.filter(({ event }) => event === 'fired').map(({ name }) => name))].toSorted()
}

async function ask<T>(url: string, path: string): Promise<{ readonly items: readonly T[] }> {
  const response = await fetch(`${url}${path}`)
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}`)
  return (await response.json()) as { readonly items: readonly T[] }
}
