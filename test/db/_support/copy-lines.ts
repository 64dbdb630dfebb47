// Copies into `notes` behind a lock on the row of `parents`, and says what became of it. Argument: the database.
import { createWriter } from '../../../db/writer.ts'

const writer = createWriter(process.argv[2] ?? '', { applicationName: 'test-owner' })
const limits = { lockTimeoutMs: 30_000, statementTimeoutMs: 30_000, idleTimeoutMs: 1_000 }
try {
  await writer.transaction(async tx => {
    await tx.query('SELECT FROM parents FOR NO KEY UPDATE')
    await tx.copy('COPY notes (id, body) FROM STDIN', '1\tx\n')
  }, limits)
  console.log('committed')
} catch (error) {
  console.log((error as { code?: unknown }).code)
}
await writer.close()
