import { runFixedSchedules } from './run-fixed.ts'

runFixedSchedules([
  { seed: 201, faults: ['runner-database-cut-back', 'terminate-storm'] },
  { seed: 202, faults: ['database-restored', 'gateway-broker-cut-back'] },
  { seed: 203, faults: ['only-broker-killed', 'runner-broker-cut'] },
  { seed: 204, faults: ['positions-lost', 'payload-fuzz', 'sqlstate-40001'] },
  { seed: 205, faults: ['poison-many', 'read-only'] }
])
