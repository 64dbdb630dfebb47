import { runFixedSchedules } from './run-fixed.ts'

runFixedSchedules([
  { seed: 101, faults: ['runner-killed', 'runner-killed-before-commit'] },
  { seed: 102, faults: ['runner-frozen', 'runner-database-reset'] },
  { seed: 103, faults: ['gateway-killed-before-answer', 'runner-killed-after-commit'] },
  { seed: 104, faults: ['postgres-killed', 'gateway-killed'] }
])
