// tap's `--after`: ends the servers of the run and all that its test files left behind. A run that never comes here is
// ended by its keeper.
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, sendSignal } from '../../stack/processes.ts'
import { findRunState } from './run-state.ts'

const keeper = findRunState(process.ppid)?.keeper
if (keeper) sendSignal(keeper.pid, 'SIGTERM')
while (keeper && isAlive(keeper)) await sleep(20)
