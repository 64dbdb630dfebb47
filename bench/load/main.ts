// The load generator: a process of its own, so that its CPU time is known. Takes a plan on its input.
import { writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { machineMs } from '../machine-clock.ts'
import { runClosedLoop } from './closed-loop.ts'
import { openConnection } from './connection.ts'
import { runOpenLoop } from './open-loop.ts'
import { END_SIGNAL, type LoadLine, type Plan } from './plan.ts'
import { createRequests } from './requests.ts'
import { createTally } from './tally.ts'

interface Place {
  readonly partition: number
  readonly offset: string
}

let isEnded = false
process.once(END_SIGNAL, () => {
  isEnded = true
})
const isOver = () => isEnded
const plan: Plan = JSON.parse(await text(process.stdin))
const nextRequest = createRequests(plan)
const connections = await Promise.all(Array.from({ length: plan.connections }, () => openConnection(plan.url)))
const answers: number[] = []

const tally = createTally(plan.expectedStatus)
say({ event: 'begun' })
if (plan.requestsPerSecond === null) await runClosedLoop(connections, plan, { nextRequest, tally, isOver })
else await runOpenLoop(connections, plan, { nextRequest, tally, isOver, onAnswer: plan.answersFile ? keep : undefined })
const result = tally.toResult()

for (const connection of connections) connection.close()
if (plan.answersFile) writeFileSync(plan.answersFile, Buffer.from(Float64Array.from(answers).buffer))
say({ event: 'done', result })

function keep(body: Buffer, dueMs: number) {
  const answeredMs = machineMs()
  const answer: Place | { readonly results: readonly Place[] } = JSON.parse(body.toString())
  for (const { partition, offset } of 'results' in answer ? answer.results : [answer])
    answers.push(dueMs, answeredMs, partition, Number(offset))
}

function say(line: LoadLine) {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
