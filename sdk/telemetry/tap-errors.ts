import type { DestinationStream, Logger } from 'pino'

/** A line of level error or fatal, before it became text. */
export interface ErrorLine {
  readonly level: 'error' | 'fatal'
  readonly message: string
  readonly timeMs: number
  /** What the line holds, and the loggers that it came through. `err` is the error as it was thrown. */
  readonly members: Readonly<Record<string, unknown>>
}

/** What pino sets before each line (https://getpino.io/#/docs/api?id=pino-metadata). */
interface Metadata {
  lastLevel: number
  lastMsg?: string
  lastObj?: object
  lastTime?: string
  lastLogger?: Pick<Logger, 'bindings'>
}

const ERROR = 50
const FATAL = 60

/**
 * Lets the output of a log also tell of its lines of level error and fatal. It is the output that it was given, changed;
 * every line is written first, and whatever `onError` does, nobody who logs is told.
 */
export function tapErrors<S extends DestinationStream>(output: S, onError: (line: ErrorLine) => void): S {
  const write = output.write.bind(output)
  const tapped: Metadata = Object.assign(output, {
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(text: string) {
      write(text)
      if (tapped.lastLevel >= ERROR) tell()
    }
  })
  return output

  function tell(): void {
    const { lastLevel, lastMsg, lastObj, lastTime, lastLogger } = tapped
    try {
      onError({
        level: lastLevel >= FATAL ? 'fatal' : 'error',
        message: lastMsg ?? '',
        timeMs: Number(lastTime),
        members: { ...lastLogger?.bindings(), ...lastObj }
      })
    } catch {
      // What was thrown may be anything, also something that throws when it is read. The line itself is written.
    }
  }
}
