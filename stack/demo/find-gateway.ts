import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { demoErrors } from './errors.ts'

/**
 * Gives the URL of the gateway of the stack that runs in a folder.
 *
 * @throws SMG_DEMO_NOT_RUNNING
 */
export function getGatewayUrl(dataFolder: string): string {
  const file = join(dataFolder, 'stack.json')
  try {
    const { gatewayUrl } = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof gatewayUrl === 'string' && gatewayUrl) return gatewayUrl
  } catch (cause) {
    throw Object.assign(new demoErrors.SMG_DEMO_NOT_RUNNING(file), { cause })
  }
  throw new demoErrors.SMG_DEMO_NOT_RUNNING(file)
}
