import { randomFillSync } from 'node:crypto'

// Many at a time: a call into the system for each is most of its cost.
const pool = Buffer.alloc(8_192)
let digits = ''
let drawn = 0

/** Draws hexadecimal digits that nobody can foresee, 1,000 at most. */
export function drawDigits(count: number): string {
  if (drawn + count > digits.length) {
    digits = randomFillSync(pool).toString('hex')
    drawn = 0
  }
  drawn += count
  return digits.slice(drawn - count, drawn)
}
