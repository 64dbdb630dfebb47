import { closeSync, fstatSync, openSync, renameSync, statSync, writeSync } from 'node:fs'

export type LogFile = ReturnType<typeof createLogFile>

const MAX_BYTES = 20_000_000

/**
 * Opens a log file for appending. At `maxBytes` it is moved to `<file>.1`, over the one before: twice that is the most a
 * log takes. Writes are synchronous: the last line before a crash is in the file.
 */
export function createLogFile(file: string, { maxBytes = MAX_BYTES } = {}) {
  let descriptor = open()
  let bytes = fstatSync(descriptor).size

  return {
    write(line: string) {
      try {
        if (bytes > maxBytes) turnOver()
        bytes += writeSync(descriptor, `${line}\n`)
      } catch {
        // A full disk must not end the stack; the line is on the console all the same.
      }
    },
    close: () => closeSync(descriptor)
  }

  function turnOver() {
    closeSync(descriptor)
    rotateLogFile(file, { maxBytes: 0 })
    descriptor = open()
    bytes = 0
  }

  function open() {
    return openSync(file, 'a', 0o600)
  }
}

/** Moves a log file that others write to aside, before they start, once it is large. */
export function rotateLogFile(file: string, { maxBytes = MAX_BYTES } = {}) {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxBytes) renameSync(file, `${file}.1`)
}
