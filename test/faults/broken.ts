import { existsSync } from 'node:fs'
import { NonRetriableError } from 'smg-kafka'

/** The name of the error, which stands in its dead letter. */
export const BROKEN = 'BrokenFunction'

/** Fails at once while the file is there that `FAULTS_SWITCH` names: every process sees it, restarted or not. */
export function throwWhileBroken(): void {
  if (!existsSync(process.env.FAULTS_SWITCH ?? '')) return
  throw Object.assign(new NonRetriableError('the switch is on'), { name: BROKEN })
}
