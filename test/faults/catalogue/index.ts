import { accessFaults } from './access-faults.ts'
import { dataFaults } from './data-faults.ts'
import { databaseFaults } from './database-faults.ts'
import { diskFaults } from './disk-faults.ts'
import type { Fault } from './fault.ts'
import { kafkaFaults } from './kafka-faults.ts'
import { networkFaults } from './network-faults.ts'
import { outageFaults } from './outage-faults.ts'
import { poisonFaults } from './poison-faults.ts'
import { processFaults } from './process-faults.ts'
import { redriveFaults } from './redrive-faults.ts'
import { serverFaults } from './server-faults.ts'
import { topicFaults } from './topic-faults.ts'
import { versionFaults } from './version-faults.ts'

/** Every fault that there is, in the order of the catalogue. */
export const catalogue: readonly Fault[] = [
  ...processFaults,
  ...outageFaults,
  ...databaseFaults,
  ...serverFaults,
  ...networkFaults,
  ...kafkaFaults,
  ...topicFaults,
  ...accessFaults,
  ...dataFaults,
  ...poisonFaults,
  ...redriveFaults,
  ...versionFaults,
  ...diskFaults
].sort((a, b) => a.row - b.row)
