import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Logger, pino } from 'pino'
import { formatLine } from './format-line.ts'
import { createLogFile, type LogFile } from './log-file.ts'

export type Log = Pick<Logger, 'info' | 'warn' | 'error'>

/** Where everything that the stack and its parts say goes. */
export interface Output {
  /** The stack's own. */
  readonly log: Log
  /** Takes one line of a part: to the console, and to the part's file as it is. */
  readonly onLine: (part: string, line: string) => void
  /** Writes a text for people; only of use on a terminal. */
  readonly print: (text: string) => void
  readonly close: () => void
}

export interface OutputOptions {
  readonly write: (text: string) => void
  /** False gives one JSON object a line. */
  readonly isTerminal: boolean
  readonly logFolder: string
}

/** Builds the output of the stack: readable on a terminal, JSON elsewhere, and a file a part in `logFolder`. */
export function createOutput({ write, isTerminal, logFolder }: OutputOptions): Output {
  mkdirSync(logFolder, { recursive: true })
  const files = new Map<string, LogFile>()
  const format = isTerminal ? formatLine : nameLine

  return {
    log: pino({ base: null }, { write: text => onLine('stack', text.trimEnd()) }),
    onLine,
    print: text => write(`${text}\n`),
    close() {
      for (const file of files.values()) file.close()
    }
  }

  function onLine(part: string, line: string) {
    fileOf(part).write(line)
    write(`${format(part, line)}\n`)
  }

  function fileOf(part: string): LogFile {
    const file = files.get(part) ?? createLogFile(join(logFolder, `${part}.log`))
    files.set(part, file)
    return file
  }
}

/** Gives a line as JSON with its part; what is no JSON becomes a message. */
function nameLine(part: string, line: string): string {
  if (line.startsWith('{"')) return `{"part":${JSON.stringify(part)},${line.slice(1)}`
  return JSON.stringify({ part, level: 30, time: Date.now(), msg: line })
}
