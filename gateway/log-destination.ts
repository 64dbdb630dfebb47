import { type DestinationStream, pino } from 'pino'

const HOLD_MS = 100
const CHUNK_LENGTH = 65_536
const WARN = 40

/** The output of a log, for `pino`. */
interface LogDestination extends DestinationStream {
  /** The level of the next line; pino sets it before each. */
  lastLevel: number
}

/**
 * Opens the output of a log with a line a request: a call into the system for each of them is a tenth of what a request
 * costs. A line is held for 100 ms at most, a warning or worse not at all, nor what came before it; what is held when the
 * process exits is written. Killed by a signal, the process loses it.
 *
 * @param file a descriptor or a path, default standard output
 */
export function openLogDestination(file: number | string = 1): LogDestination {
  // One call for each write: its own buffer would sync the file whenever it is emptied.
  const output = pino.destination({ dest: file, sync: true })
  let held = ''
  let timer: NodeJS.Timeout | undefined

  function release(): void {
    clearTimeout(timer)
    timer = undefined
    const lines = held
    held = ''
    if (lines !== '') output.write(lines)
  }
  process.on('exit', release)

  const destination: LogDestination = {
    lastLevel: 0,
    write(line) {
      held += line
      if (destination.lastLevel >= WARN || held.length >= CHUNK_LENGTH) release()
      else timer ??= setTimeout(release, HOLD_MS).unref()
    }
  }
  // https://getpino.io/#/docs/api?id=pino-metadata: asks pino for the level.
  return Object.assign(destination, { [Symbol.for('pino.metadata')]: true })
}
