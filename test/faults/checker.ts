import type { Effect, FinalState, LogRecord } from './final-state.ts'
import type { HistoryLine } from './history.ts'

/** Invariants of the reliability contract. */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9'

/** Words of the Jepsen reports on logs like Kafka's, and some of our own. */
type Anomaly =
  | 'lost-write'
  | 'inconsistent-offsets'
  | 'duplicate'
  | 'nonmonotonic'
  | 'G1a'
  | 'phantom'
  | 'poll-skip'
  | 'ahead'
  | 'unseen'
  | 'dead-lettered'
  | 'not-dead-lettered'
  | 'late-write'
  | 'lost-answer'
  | 'leak'
  | 'untruth'

/** One broken promise. */
export interface Violation {
  readonly invariant: Invariant
  readonly anomaly: Anomaly
  /** What is wrong, with event, key and coordinates. */
  readonly text: string
  /** The history around it. */
  readonly lines: readonly HistoryLine[]
}

/** What the checker has to know beside history and state. */
export interface CheckOptions {
  /** Topics whose log was made anew, and until when what was sent may be gone with the old one. */
  readonly recreated?: ReadonlyMap<string, { readonly untilMs: number }>
  /** A fault made attempts fail: an event that was good may be dead. */
  readonly mayDie?: boolean
  /** The number of partitions changed: a key may lie in two of them. */
  readonly movesKeys?: boolean
}

const PUBLISHER = { topic: 'orders', target: 'shipments' }
const MAX_PER_RULE = 20

/** Judges a history by what is left of it, once all is healed and drained. Gives nothing when every promise was kept. */
export function check(
  history: readonly HistoryLine[],
  state: FinalState,
  { recreated = new Map(), mayDie = false, movesKeys = false }: CheckOptions = {}
): Violation[] {
  const violations: Violation[] = []
  const found = new Map<string, number>()
  const byRef = group(history, ({ topic, ref }) => `${topic}/${ref}`)
  const byKey = group(history, ({ topic, key }) => `${topic}/${key}`)
  const logByPlace = new Map(state.log.map(record => [placeOf(record), record]))
  const logByRef = group(
    state.log.filter(({ ref }) => ref !== null),
    ({ topic, ref }) => `${topic}/${ref}`
  )
  const effectsByRef = group(state.effects, ({ topic, ref }) => `${topic}/${ref}`)
  const named = state.deadLetters.filter(({ ref }) => ref !== null)
  // What was redriven has its effect for its outcome, and is dead no more.
  const [redriven = [], unsettled = []] = [true, false].map(isResolved =>
    named.filter(letter => (letter.state === 'resolved') === isResolved)
  )
  const redrivenRefs = new Set(redriven.map(({ topic, ref }) => `${topic}/${ref}`))
  const deadByRef = group(unsettled, ({ topic, ref }) => `${topic}/${ref}`)

  for (const line of history) checkAcknowledged(line)
  for (const [name, lines] of byRef) checkOutcome(name, lines)
  checkStrangers()
  checkUnreadable()
  checkSendOrder()
  if (!movesKeys) checkPartitions()
  checkEffectOrder()
  checkCounters()
  checkPublished()
  checkPositions()
  for (const ref of state.late) report('I2', 'late-write', `${ref} was written by an attempt that was over`, ref)
  for (const { state: now, ...letter } of state.deadLetters) {
    if (now === 'redriving') report('I7', 'unseen', `the dead letter at ${placeOf(letter)} is still to be redriven`)
  }
  if (state.outboxRows > 0) report('I7', 'unseen', `${state.outboxRows} events are still in the outbox`)
  return violations

  function report(invariant: Invariant, anomaly: Anomaly, text: string, name?: string) {
    const count = (found.get(anomaly) ?? 0) + 1
    found.set(anomaly, count)
    if (count <= MAX_PER_RULE) violations.push({ invariant, anomaly, text, lines: name ? around(name) : [] })
  }

  /** Lines of the event itself, and of its key before and after. */
  function around(name: string): readonly HistoryLine[] {
    const own = byRef.get(name) ?? history.filter(({ ref }) => ref === name)
    const [first] = own
    if (!first) return []
    const ofKey = byKey.get(`${first.topic}/${first.key}`) ?? []
    const at = ofKey.indexOf(first)
    return [...new Set([...own, ...ofKey.slice(Math.max(0, at - 2), at + 3)])]
  }

  function isExempt({ topic, sentMs }: HistoryLine): boolean {
    const untilMs = recreated.get(topic)?.untilMs
    return untilMs !== undefined && sentMs <= untilMs
  }

  /** What was acknowledged lies where the answer says. */
  function checkAcknowledged(line: HistoryLine) {
    const { outcome, topic, ref } = line
    if (outcome.kind !== 'acked' || isExempt(line)) return
    const place = `${topic}/${outcome.partition}/${outcome.offset}`
    const record = logByPlace.get(place)
    const name = `${topic}/${ref}`
    if (!record) report('I1', 'lost-write', `${describe(line)} was acknowledged and is not at ${place}`, name)
    else if ((record.ref ?? ref) !== ref || (outcome.id !== null && record.eventId !== outcome.id)) {
      report(
        'I1',
        'inconsistent-offsets',
        `${describe(line)} was acknowledged at ${place}, where ${record.ref} is`,
        name
      )
    }
  }

  /** Every event once, as its requests were answered. */
  function checkOutcome(name: string, lines: readonly HistoryLine[]) {
    const [line] = lines
    if (!line) return
    const records = logByRef.get(name) ?? []
    const effects = effectsByRef.get(name)?.length ?? 0
    const dead = deadByRef.get(name) ?? []
    const total = effects + dead.length
    const isAcked = lines.some(({ outcome }) => outcome.kind === 'acked')
    const isRefused = lines.every(({ outcome }) => outcome.kind === 'refused')
    const identities = new Set(records.map(({ identity }) => identity)).size
    const what = `${describe(line)}: ${effects} effects, ${dead.length} dead letters`

    if (isRefused && (records.length > 0 || total > 0)) report('I4', 'G1a', `${what}; it was refused`, name)
    if (lines.every(isExempt)) {
      if (total > 1) report('I2', 'duplicate', what, name)
      return
    }
    if (isAcked && total === 0) report('I1', 'lost-write', `${what}; it was acknowledged`, name)
    else if (total < identities) report('I1', 'lost-write', `${what}; ${identities} in the log`, name)
    // A producer of Kafka that sends again makes another record, and another event.
    const most = line.from === 'http' ? 1 : Math.max(1, identities)
    if (total > most) report('I2', 'duplicate', `${what}; ${records.map(placeOf).join(', ')}`, name)
    if (line.from === 'http' && identities > 1) report('I5', 'duplicate', `${what}; under ${identities} ids`, name)
    checkFate(line, { effects, dead: dead.length, error: dead[0]?.error ?? '' })
  }

  function checkFate(line: HistoryLine, { effects, dead, error }: { effects: number; dead: number; error: string }) {
    const name = `${line.topic}/${line.ref}`
    if (line.expected === 'effect' && dead > 0 && !mayDie) {
      report('I1', 'dead-lettered', `${describe(line)} is a dead letter, and nothing is wrong with it: ${error}`, name)
    }
    if (line.expected === 'dead' && effects > 0) {
      report('I4', 'not-dead-lettered', `${describe(line)} has an effect, and was to be a dead letter`, name)
    }
  }

  /** Nothing that was never sent. */
  function checkStrangers() {
    const known = (topic: string, ref: string) =>
      byRef.has(`${topic}/${ref}`) || (topic === PUBLISHER.target && byRef.has(`${PUBLISHER.topic}/${ref}`))
    for (const { topic, ref } of state.effects) {
      if (!known(topic, ref)) report('I4', 'phantom', `an effect of ${topic}/${ref}, which nobody sent`)
    }
    for (const { topic, ref, partition, offset } of state.log) {
      if (ref !== null && !known(topic, ref)) {
        report('I4', 'phantom', `${topic}/${partition}/${offset} holds ${ref}, which nobody sent`)
      }
    }
  }

  /** Records without a ref are garbage: each has a dead letter of its place, and one only. */
  function checkUnreadable() {
    const counts = new Map<string, number>()
    for (const { topic, partition, offset, copies } of state.deadLetters) {
      for (const [p, o] of [[partition, offset] as const, ...copies]) {
        const place = `${topic}/${p}/${o}`
        counts.set(place, (counts.get(place) ?? 0) + 1)
      }
    }
    for (const record of state.log) {
      if (record.ref !== null) continue
      const count = counts.get(placeOf(record)) ?? 0
      if (count === 0) report('I1', 'lost-write', `${placeOf(record)} is garbage and has no dead letter`)
      if (count > 1) report('I2', 'duplicate', `${placeOf(record)} is garbage and has ${count} dead letters`)
    }
  }

  /** One key, one partition: else it has no order. */
  function checkPartitions() {
    for (const [name, lines] of byKey) {
      const partitions = new Set<number>()
      for (const { topic, ref, from } of lines) {
        if (from === 'http')
          for (const { partition } of logByRef.get(`${topic}/${ref}`) ?? []) partitions.add(partition)
      }
      if (partitions.size > 1) {
        const [line] = lines
        const text = `key ${name} lies in partitions ${[...partitions].join(', ')}`
        report('I3', 'nonmonotonic', text, line && `${line.topic}/${line.ref}`)
      }
    }
  }

  /** Of one key: what was acknowledged before the next was sent lies before it. A repeat may be told of its first copy. */
  function checkSendOrder() {
    const isRepeat = (line: HistoryLine) => byRef.get(`${line.topic}/${line.ref}`)?.[0] !== line
    for (const [, lines] of byKey) {
      const acked = lines.flatMap(line =>
        line.outcome.kind === 'acked' && line.from === 'http' && !isExempt(line) ? [{ line, at: line.outcome }] : []
      )
      const bySent = acked.toSorted((a, b) => a.line.sentMs - b.line.sentMs)
      const byAnswer = acked.toSorted((a, b) => a.line.answeredMs - b.line.answeredMs)
      const highest = new Map<number, { offset: bigint; line: HistoryLine }>()
      let next = 0
      for (const { line, at } of bySent) {
        for (let before = byAnswer[next]; before && before.line.answeredMs < line.sentMs; before = byAnswer[next]) {
          const offset = BigInt(before.at.offset)
          if (offset > (highest.get(before.at.partition)?.offset ?? -1n))
            highest.set(before.at.partition, { offset, line: before.line })
          next += 1
        }
        const before = highest.get(at.partition)
        if (before && before.offset > BigInt(at.offset) && !isRepeat(line)) {
          const text = `${describe(line)} was sent after ${describe(before.line)} was acknowledged, and lies before it`
          report('I3', 'nonmonotonic', text, `${line.topic}/${line.ref}`)
        }
      }
    }
  }

  /**
   * Of one key: effects are in the order of the log, where each event counts from its first record on. What was redriven
   * came later than its place, and is in order among itself.
   */
  function checkEffectOrder() {
    const first = firstPlaces(state.log)
    for (const [name, effects] of group(state.effects, ({ topic, key }) => `${topic}/${key}`)) {
      const ordered = effects.toSorted((a, b) => Number(a.order - b.order))
      for (const some of [ordered.filter(isRedriven), ordered.filter(effect => !isRedriven(effect))]) {
        checkOrder(name, some, effect => first.get(`${effect.topic}/${effect.ref}`))
      }
    }
  }

  function isRedriven({ topic, ref }: Effect): boolean {
    return redrivenRefs.has(`${topic}/${ref}`)
  }

  function checkOrder(name: string, ordered: readonly Effect[], placeOfEffect: (effect: Effect) => Place | undefined) {
    const highest = new Map<number, { offset: bigint; effect: Effect }>()
    let pending: { place: Place; effect: Effect }[] = []
    let order: bigint | null = null
    for (const effect of ordered) {
      const place = placeOfEffect(effect)
      if (!place) continue
      if (effect.order !== order) settle()
      order = effect.order
      const before = highest.get(place.partition)
      if (before && before.offset > place.offset) {
        const text = `${name}: ${effect.ref} (offset ${place.offset}) came after ${before.effect.ref} (offset ${before.offset})`
        report('I3', 'nonmonotonic', text, `${effect.topic}/${effect.ref}`)
      }
      pending.push({ place, effect })
    }

    /** What has no order among itself is compared with what follows only. */
    function settle() {
      for (const { place, effect } of pending) {
        const before = highest.get(place.partition)
        if (!before || place.offset > before.offset) highest.set(place.partition, { offset: place.offset, effect })
      }
      pending = []
    }
  }

  function checkCounters() {
    const counted = state.effects.filter(({ counter }) => counter !== null)
    for (const [name, effects] of group(counted, ({ topic, key }) => `${topic}/${key}`)) {
      const counters = effects.map(({ counter }) => counter ?? 0).sort((a, b) => a - b)
      const wrong = counters.findIndex((counter, index) => counter !== index + 1)
      if (wrong !== -1) {
        const text = `${name} has ${counters.length} effects, and the ${wrong + 1}. counts ${counters[wrong]}`
        report('I2', 'duplicate', text, effects[0] && `${effects[0].topic}/${effects[0].ref}`)
      }
    }
  }

  /** What a committed effect published has one effect; what was rolled back has none; first copies keep the order. */
  function checkPublished() {
    const causes = state.effects.filter(({ topic }) => topic === PUBLISHER.topic)
    const caused = group(
      state.effects.filter(({ topic }) => topic === PUBLISHER.target),
      ({ ref }) => ref
    )
    for (const { ref } of causes) {
      const count = caused.get(ref)?.length ?? 0
      const name = `${PUBLISHER.topic}/${ref}`
      if (count === 0) report('I1', 'lost-write', `${name} has its effect, and what it published has none`, name)
      if (count > 1) report('I2', 'duplicate', `what ${name} published has ${count} effects`, name)
    }
    const refs = new Set(causes.map(({ ref }) => ref))
    for (const ref of caused.keys()) {
      const name = `${PUBLISHER.topic}/${ref}`
      if (!refs.has(ref)) report('I4', 'phantom', `what ${name} published is there, and its effect is not`, name)
    }
    const first = firstPlaces(state.log)
    for (const [key, effects] of group(causes, effect => effect.key)) {
      const ordered = effects.toSorted((a, b) => Number(a.order - b.order))
      checkOrder(`published by ${PUBLISHER.topic}/${key}`, ordered, ({ ref }) =>
        first.get(`${PUBLISHER.target}/${ref}`)
      )
    }
  }

  /** Positions are at the end of the log, and everything below them has its outcome. */
  function checkPositions() {
    const positions = new Map(state.positions.map(row => [`${row.topic}/${row.partition}`, row.nextOffset]))
    for (const { topic, partition, low, high } of state.bounds) {
      const position = positions.get(`${topic}/${partition}`)
      if (high === low && (position === undefined || position === high)) continue
      if (position !== high) {
        report('I7', 'unseen', `${topic}/${partition} stands at ${position ?? 'nothing'}, and its log ends at ${high}`)
      }
    }
    const settled = new Set(state.messages.map(({ topic, id }) => `${topic}/${id}`))
    const places = new Set(state.messages.map(placeOf))
    for (const { topic, eventId, partition, offset, copies, state: now } of state.deadLetters) {
      // Its effect put it among the messages.
      if (now === 'resolved') continue
      settled.add(`${topic}/${eventId}`)
      for (const [p, o] of [[partition, offset] as const, ...copies]) places.add(`${topic}/${p}/${o}`)
    }
    const events = group(state.log, ({ topic, identity }) => `${topic}/${identity}`)
    for (const record of state.log) {
      const position = positions.get(`${record.topic}/${record.partition}`) ?? -1n
      const isSettled =
        (record.eventId !== null && settled.has(`${record.topic}/${record.eventId}`)) ||
        (events.get(`${record.topic}/${record.identity}`) ?? []).some(copy => places.has(placeOf(copy)))
      if (record.offset < position && !isSettled) {
        report('I6', 'poll-skip', `${placeOf(record)} (${record.ref}) is below the position and has no outcome`)
      }
    }
    for (const row of [...state.messages, ...state.deadLetters]) {
      const position = positions.get(`${row.topic}/${row.partition}`) ?? -1n
      if (recreated.has(row.topic)) continue
      if (row.offset >= position) report('I6', 'ahead', `${placeOf(row)} is settled, and the position is ${position}`)
    }
  }
}

interface Place {
  readonly partition: number
  readonly offset: bigint
}

/** The first record of each event, by topic and ref. */
function firstPlaces(log: readonly LogRecord[]): Map<string, Place> {
  const first = new Map<string, Place>()
  for (const { topic, ref, partition, offset } of log) {
    if (ref !== null && !first.has(`${topic}/${ref}`)) first.set(`${topic}/${ref}`, { partition, offset })
  }
  return first
}

function describe({ topic, ref, key, seq, outcome }: HistoryLine): string {
  const id = outcome.kind === 'acked' ? ` id ${outcome.id}` : ''
  return `${topic}/${ref} (key ${key}, seq ${seq}${id})`
}

function placeOf({ topic, partition, offset }: { topic: string; partition: number; offset: bigint }): string {
  return `${topic}/${partition}/${offset}`
}

function group<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const members = groups.get(key)
    if (members) members.push(item)
    else groups.set(key, [item])
  }
  return groups
}
