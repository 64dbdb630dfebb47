import { stackErrors } from './errors.ts'
import { type Command, type LaunchOptions, launch } from './launch.ts'

/** A process that is run to its end. */
export interface TaskOptions extends Omit<LaunchOptions, 'stopSignal'> {
  /** Ends it early. */
  readonly shutdown: AbortSignal
}

const END_DEADLINE_MS = 2_000

/**
 * Runs a command to its end and gives the last lines that it said.
 *
 * @throws SMG_STACK_TASK_FAILED with exit code or signal and its last lines | SMG_STACK_STOPPED when `shutdown` came first
 */
export async function runTask(command: Command, { shutdown, ...options }: TaskOptions): Promise<string> {
  if (shutdown.aborted) throw new stackErrors.SMG_STACK_STOPPED()

  const running = launch(command, options)
  const onShutdown = () => void running.end('SIGTERM', END_DEADLINE_MS)
  shutdown.addEventListener('abort', onShutdown)
  const { code, reason, lastWords } = await running.ended
  shutdown.removeEventListener('abort', onShutdown)

  if (shutdown.aborted) throw new stackErrors.SMG_STACK_STOPPED()
  if (code !== 0) throw new stackErrors.SMG_STACK_TASK_FAILED(options.name, reason, lastWords)
  return lastWords
}
