import { renameSync, writeFileSync } from 'node:fs'

/** Writes a file, mode 0600, that others see whole or not at all, also when this process is killed. */
export function writeFileAtomically(file: string, text: string) {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600 })
  renameSync(draft, file)
}
