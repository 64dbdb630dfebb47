import { type KnobLoad, parseKnobs, type Way } from '../knobs/knobs.ts'
import { measureDrain, measureIdle, measureKill } from '../knobs/measure-consume.ts'
import { measureProduce } from '../knobs/measure-produce.ts'
import { toKnobTable } from '../knobs/table.ts'
import { toCount, toNumber } from '../options.ts'
import { type Measurement, summarise, toLine } from '../report.ts'
import type { Bench } from '../types.ts'

const WAYS: Readonly<Record<Way, typeof measureDrain>> = {
  produce: measureProduce,
  drain: measureDrain,
  idle: measureIdle,
  kill: measureKill
}

/** What each setting does, one at a time beside its default. */
export const knobsBench: Bench = {
  options: {
    only: { type: 'string', default: '' },
    rate: { type: 'string', default: '2000' },
    events: { type: 'string', default: '60000' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '2' },
    cold: { type: 'boolean', default: false }
  },

  async run(servers, values) {
    const knobs = parseKnobs(String(values.only))
    const measurements: Measurement[] = []
    const load: KnobLoad = {
      rate: toNumber(values, 'rate'),
      events: toCount(values, 'events'),
      seconds: toNumber(values, 'seconds'),
      rounds: toCount(values, 'rounds'),
      isCold: values.cold === true,
      onMeasured: measurement => console.log(toLine(measurement))
    }
    for (const knob of knobs) measurements.push(...(await WAYS[knob.way](servers, knob, load)))
    const summaries = summarise(measurements)
    return {
      text: [toKnobTable(knobs, summaries), toNote(load)].join('\n'),
      data: { knobs, summaries, measurements },
      isVoid: measurements.some(measurement => measurement.void !== null)
    }
  }
}

function toNote({ rate, events }: KnobLoad): string {
  return `PRODUCER_*: times from POST to row and CPU an event at ${rate} events/s, one a request; events/s, and what is "full", of a gateway
that is never idle; its memory. CONSUMER_*: a runner that drains ${events} events, one that waits for 20 events/s, and one whose
neighbour is killed with -9: its partitions stand still until Kafka gives them away. MB of the runner.`
}
