// tap's `--before`: starts the servers of the run. It always ends well: after a failed one tap would start the test files,
// leave them behind and end. testStack() gives them the reason instead.
import { startKeeper } from './start-keeper.ts'

const ownerPid = Number(process.env.SMG_TEST_OWNER ?? process.ppid)
try {
  const { notes, error } = await startKeeper(ownerPid)
  for (const line of error === null ? notes : [...notes, `no test servers: ${error}`]) console.log(`# ${line}`)
} catch (error) {
  console.log(`# ${String(error).replaceAll('\n', '\n# ')}`)
}
