/** Time that one CPU spent since the machine started; only the relation of the two is of use. */
export interface CpuTimes {
  readonly cpu: string
  readonly busy: number
  readonly total: number
}

/** Parses `/proc/stat`: https://docs.kernel.org/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat */
export function parseCpuTimes(stat: string): CpuTimes[] {
  return [...stat.matchAll(/^(cpu\d+) +(.+)$/gm)].map(([, cpu = '', columns = '']) => {
    // The columns after the eighth, guest and guest_nice, are in user and nice already.
    const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, ...interrupts] = columns.split(' ', 8).map(Number)
    const busy = user + nice + system + sum(interrupts)
    return { cpu, busy, total: busy + idle + ioWait }
  })
}

/** Gives what each CPU did between two looks, 0 to 1; none of a CPU whose clock did not tick in between. */
export function toCpuUsage(before: readonly CpuTimes[], after: readonly CpuTimes[]): { cpu: string; usage: number }[] {
  const start = new Map(before.map(times => [times.cpu, times]))

  return after.flatMap(({ cpu, busy, total }) => {
    const past = start.get(cpu)
    const ticks = past ? total - past.total : 0
    return past && ticks > 0 ? [{ cpu, usage: Math.min(1, Math.max(0, (busy - past.busy) / ticks)) }] : []
  })
}

/** Bytes that a network interface has carried since it came up. */
export interface Traffic {
  readonly interface: string
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** Parses `/proc/net/dev`; interfaces that never carried anything are left out. */
export function parseTraffic(dev: string): Traffic[] {
  return [...dev.matchAll(/^ *([^\s:|]+): *(.+)$/gm)]
    .map(([, name = '', columns = '']) => {
      const counters = columns.trim().split(/ +/).map(Number)
      return { interface: name, receivedBytes: counters[0] ?? 0, sentBytes: counters[8] ?? 0 }
    })
    .filter(({ receivedBytes, sentBytes }) => receivedBytes + sentBytes > 0)
}

/** Images are full by nature, and nobody's alarm. */
const IMAGE_TYPES = new Set(['squashfs', 'iso9660', 'erofs'])

/** Parses `/proc/mounts`: `/`, and one place of each other disk. */
export function parseMounts(mounts: string): string[] {
  const byDevice = new Map<string, string>()

  for (const line of mounts.split('\n')) {
    const [device = '', place = '', type = ''] = line.split(' ')
    const isDisk = device.startsWith('/dev/') && !IMAGE_TYPES.has(type)
    if (isDisk && !byDevice.has(device)) byDevice.set(device, unescapeOctal(place))
  }
  return [...new Set(['/', ...byDevice.values()])]
}

// A space in a path is written \040.
function unescapeOctal(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8)))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
