import { url as inspectorUrl } from 'node:inspector'
import { Worker } from 'node:worker_threads'

const BEAT_MS = 250
const TICK_MS = 500

// Plain JavaScript, so that the thread loads nothing but itself. It counts its own ticks and not the time: after a
// SIGSTOP, or on a laptop that slept, both threads stood still, and the loop is not to blame.
const WATCH = `
const { writeSync } = require('node:fs')
const { workerData: { beats, limitMs, tickMs } } = require('node:worker_threads')
const counter = new Int32Array(beats)
let seen = -1
let ticks = 0
setInterval(() => {
  const beat = Atomics.load(counter, 0)
  ticks = beat === seen ? ticks + 1 : 0
  seen = beat
  if (ticks * tickMs <= limitMs) return
  const text = 'the event loop stands still for more than ' + limitMs + ' ms: a function computes without end. The process is killed.'
  try {
    writeSync(2, JSON.stringify({ level: 60, name: 'runner', time: Date.now(), msg: text }) + '\\n')
  } finally {
    process.kill(process.pid, 'SIGKILL')
  }
}, tickMs)
`

/**
 * Starts a thread that kills this process when its event loop stands still for longer than `limitMs`: what runs in the
 * loop cannot end itself, and would keep its partitions, or lose them and never know. None while a debugger is attached.
 */
export function startWatchdog({ limitMs }: { limitMs: number }): { stop(): Promise<void> } {
  if (inspectorUrl() !== undefined) return { stop: async () => undefined }
  const beats = new SharedArrayBuffer(4)
  const counter = new Int32Array(beats)
  const beat = setInterval(() => Atomics.add(counter, 0, 1), BEAT_MS)
  const worker = new Worker(WATCH, {
    eval: true,
    execArgv: [],
    env: {},
    workerData: { beats, limitMs, tickMs: TICK_MS },
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 }
  })
  beat.unref()
  worker.unref()

  return {
    async stop() {
      clearInterval(beat)
      await worker.terminate()
    }
  }
}
