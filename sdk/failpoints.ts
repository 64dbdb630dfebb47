import { setTimeout as sleep } from 'node:timers/promises'
import { sdkErrors } from './errors.ts'

/** Places at which the fault tests break a runner or a gateway. */
export type Failpoint =
  | 'before-begin'
  | 'after-effects'
  | 'before-commit'
  | 'after-commit'
  | 'before-offset-commit'
  | 'in-handler'
  | 'after-produce-before-ack'

interface Rule {
  readonly name: string
  readonly action: string
  readonly ms: number
  /** The pass that it happens at, or with `isEvery` each multiple of it. */
  readonly pass: number
  readonly isEvery: boolean
}

const RULE = /^([a-z-]+)=(kill|throw|hang|delay|freeze)(?::(\d+))?@(\/?)(\d+)$/
const nothing = (_name: Failpoint): void | Promise<void> => undefined
let act = nothing

/**
 * Turns failpoints on, as the fault tests ask for them: `before-commit=kill@7` at the seventh pass, `in-handler=throw@/100`
 * at every hundredth, several with commas. `hang` never goes on, `delay:MS` goes on later, `freeze:MS` stops the whole
 * process for so long. Without a text nothing is done, and a pass costs one empty call.
 *
 * @throws SMG_SDK_BAD_SETTING
 */
export function armFailpoints(text = ''): void {
  const rules = text.split(',').filter(Boolean).map(toRule)
  const passes = new Map<string, number>()
  if (rules.length === 0) return

  act = name => {
    const pass = (passes.get(name) ?? 0) + 1
    passes.set(name, pass)
    const rule = rules.find(
      other => other.name === name && (other.isEvery ? pass % other.pass === 0 : pass === other.pass)
    )
    return rule && run(rule)
  }
}

/** Passes a failpoint: gives nothing, unless it is armed. */
export function failpoint(name: Failpoint): void | Promise<void> {
  return act(name)
}

/** Whether any is armed: what would cost something is left out without. */
export function hasFailpoints(): boolean {
  return act !== nothing
}

function toRule(text: string): Rule {
  const [, name = '', action = '', ms = '0', every = '', pass = ''] = RULE.exec(text) ?? []
  if (!name || Number(pass) < 1) {
    throw new sdkErrors.SMG_SDK_BAD_SETTING('SMG_FAILPOINTS', text, 'such as before-commit=kill@7')
  }
  return { name, action, ms: Number(ms), pass: Number(pass), isEvery: every === '/' }
}

function run({ name, action, ms }: Rule): void | Promise<void> {
  if (action === 'kill') process.kill(process.pid, 'SIGKILL')
  if (action === 'throw') throw new Error(`failpoint ${name}`)
  if (action === 'freeze') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  if (action === 'delay') return sleep(ms)
  return action === 'freeze' ? undefined : new Promise(() => undefined)
}
