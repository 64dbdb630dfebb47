// Loaded into a process of the system: its wall clock is wrong from the start, or jumps once. Timers are not touched.
const offsetMs = Number(process.env.FAULTS_CLOCK_OFFSET_MS ?? 0)
const jumpMs = Number(process.env.FAULTS_CLOCK_JUMP_MS ?? 0)
const afterMs = Number(process.env.FAULTS_CLOCK_AFTER_MS ?? 0)
const RealDate = Date
const startedMs = RealDate.now()

const nowMs = () => {
  const realMs = RealDate.now()
  return realMs + offsetMs + (realMs - startedMs >= afterMs ? jumpMs : 0)
}

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(nowMs())
    else super(...parts)
  }

  static now() {
    return nowMs()
  }
}
