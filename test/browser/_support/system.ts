import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startProcesses, type TestProcesses } from '../../_support/processes.ts'

/** A gateway and a runner with the function `orders`, which can be broken and mended while they run. */
export interface BrowserSystem extends TestProcesses {
  breakFunction(): void
  mendFunction(): void
  /** Produces an event that may be refused; gives the answer's body. */
  send(event: object): Promise<Answer>
}

interface Answer {
  readonly id: string
  readonly outcome?: { readonly state: string }
}

const FUNCTIONS = join(import.meta.dirname, '..', '_functions')

export async function startSystem(t: Test, environment: NodeJS.ProcessEnv = {}): Promise<BrowserSystem> {
  const till = join(t.testdir({}), 'closed')
  const processes = await startProcesses(t, {
    environment: { FUNCTIONS_DIR: FUNCTIONS, CLOSED_TILL: till, CONSUMER_SESSION_TIMEOUT_MS: '6000', ...environment }
  })
  return Object.assign(processes, {
    breakFunction: () => writeFileSync(till, ''),
    mendFunction: () => rmSync(till, { force: true }),
    async send(event: object) {
      const response = await fetch(`${processes.gatewayUrl}/api/produce/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', prefer: 'wait=20' },
        body: JSON.stringify(event)
      })
      return (await response.json()) as Answer
    }
  })
}
