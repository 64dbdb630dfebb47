/** Numbers that look random and are the same for the same seed. */
export interface Random {
  /** At least 0, below 1. */
  next(): number
  /** Both ends are possible. */
  integer(min: number, max: number): number
  pick<T>(list: readonly T[]): T
  chance(probability: number): boolean
  /** `count` different ones, in a random order. */
  sample<T>(list: readonly T[], count: number): T[]
  /** Another one, which stays the same whatever is drawn here. */
  fork(label: string): Random
}

/** Builds a source of numbers (sfc32, seeded by a hash of the text). */
export function createRandom(seed: string): Random {
  const [first, second, third, fourth] = hash(seed)
  let [a, b, c, d] = [first ?? 1, second ?? 1, third ?? 1, fourth ?? 1]
  const random: Random = {
    next() {
      const sum = (a + b + d) | 0
      d = (d + 1) | 0
      a = b ^ (b >>> 9)
      b = (c + (c << 3)) | 0
      c = (((c << 21) | (c >>> 11)) + sum) | 0
      return (sum >>> 0) / 2 ** 32
    },
    integer: (min, max) => min + Math.floor(random.next() * (max - min + 1)),
    pick(list) {
      const picked = list[random.integer(0, list.length - 1)]
      if (picked === undefined) throw new Error('nothing to pick from')
      return picked
    },
    chance: probability => random.next() < probability,
    sample(list, count) {
      const left = [...list]
      return Array.from({ length: Math.min(count, left.length) }, () => {
        const [taken] = left.splice(random.integer(0, left.length - 1), 1)
        return taken as (typeof left)[number]
      })
    },
    fork: label => createRandom(`${seed}/${label}`)
  }
  for (let warmUp = 0; warmUp < 15; warmUp += 1) random.next()
  return random
}

function hash(text: string): number[] {
  return [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x85ebca6b].map(start => {
    let value = start
    for (let index = 0; index < text.length; index += 1) {
      value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
      value ^= value >>> 13
    }
    return value | 0
  })
}
