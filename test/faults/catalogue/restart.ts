import type { Member } from '../system.ts'
import { type FaultContext, isSoon } from './fault.ts'

const STOP_MS = 20_000
const READY_MS = 20_000

/** Stops a gateway or a runner by SIGTERM, as a deployment does, and starts it again; resolves when it is ready. */
export async function restart(member: Member, { system, signal }: FaultContext): Promise<void> {
  member.hold()
  if (await member.process.end('SIGTERM', STOP_MS)) system.blame('I7', `${member.name} did not stop in 20 s`)
  member.release()
  const isReady = async () => {
    const answer = await fetch(`${member.url}/health/ready`, { signal: AbortSignal.timeout(1_000) })
    return answer.status === 200
  }
  await isSoon(isReady, { timeoutMs: READY_MS, signal })
}

/** Blames a gateway that was asked to stop for requests since then that got no answer, where nothing else is wrong. */
export function blameLostAnswers({ name }: Member, fromMs: number, { system, history, isOnly }: FaultContext): void {
  const lost = history.lines.filter(({ sentMs, outcome }) => sentMs >= fromMs - 1_000 && outcome.kind === 'unknown')
  if (!isOnly || lost.length === 0) return
  system.blame('I5', `${lost.length} events got no answer, such as ${lost[0]?.ref}, and ${name} was asked to stop`)
}
