/** A small change of the product that breaks a promise. */
export interface Mutant {
  /** In the list of the reliability contract. */
  readonly number: number
  /** One of several ways to make the same mistake; empty when there is one. */
  readonly variant?: string
  readonly title: string
  /** Each text must be there exactly once. */
  readonly patches: readonly Patch[]
  /** What must catch it: faults under which the checker must find something, or a test file that must fail. */
  readonly scenario: FaultScenario | { readonly test: string }
}

/** A schedule of faults with the load that it needs. */
export interface FaultScenario {
  readonly faults: readonly string[]
  readonly events?: number
  readonly useIdempotencyKeys?: boolean
}

interface Patch {
  readonly file: string
  readonly find: string
  readonly replace: string
}

const NO_CLAIM: Patch = {
  file: 'runner/positions-of-cycle.ts',
  find: 'if (lost.length > 0) throw positionMoved(groupId, lost)',
  replace: 'void lost'
}
const NO_COMPARE: Patch = {
  file: 'db/queries/positions.ts',
  find: '\n       AND status.partition = step.partition AND status.next_offset = step.expected`',
  replace: '\n       AND status.partition = step.partition`'
}
const NO_CHECK: Patch = {
  file: 'runner/check-positions.ts',
  find: 'await reload()\n      if (withLog) await checkLog()',
  replace: 'if (withLog) onBounds(await locator.readBounds())\n      void checkLog'
}
const NO_SEEK: Patch = {
  file: 'kafka/consumer.ts',
  find: 'consumer.seek({ topic: kafkaTopic, partition, offset: String(offset) })',
  replace: 'void offset'
}
const NO_GAP: Patch = {
  file: 'runner/take-batches.ts',
  find: 'if (batch.fetchedOffset > partition.fetchedTo) return closeGap(partition)',
  replace: 'void closeGap'
}

/** All mutants of the contract, in its order. */
export const mutants: readonly Mutant[] = [
  {
    number: 1,
    title: "Kafka's offset is committed before the transaction, and the position read from Kafka at the start",
    patches: [
      NO_SEEK,
      NO_GAP,
      {
        file: 'runner/attach-function.ts',
        find: 'onBatch: batch => batches.take(batch)',
        replace:
          'onBatch: batch => {\n      hints.set(batch.partition, batch.endOffset)\n      return batches.take(batch)\n    }'
      }
    ],
    scenario: { faults: ['runner-database-slow-500ms', 'runners-killed'] }
  },
  {
    number: 2,
    title: 'the position is written in a second transaction, after the effects',
    patches: [
      {
        file: 'runner/row-cycles.ts',
        find: 'await movePositions(tx, shares, tallies, dependencies)',
        replace: 'void movePositions'
      },
      {
        file: 'runner/row-effects.ts',
        find: "await failpoint('after-commit')",
        replace:
          "await failpoint('after-commit')\n      const { movePositions } = await import('./positions-of-cycle.ts')\n      await pool.transaction(tx => movePositions(tx, shares, tallies, write), limits)"
      }
    ],
    scenario: { faults: ['runner-database-slow-50ms', 'terminate-storm'] }
  },
  {
    number: 3,
    title: 'the position is updated without the expected value',
    patches: [NO_CLAIM, NO_COMPARE],
    scenario: { faults: ['runner-frozen-in-handler'] }
  },
  {
    number: 4,
    title: 'positions are looked at only when a batch arrives',
    patches: [NO_CHECK],
    scenario: { faults: ['database-restored-idle'] }
  },
  {
    number: 5,
    title: 'the client commits and resolves by itself',
    patches: [
      { file: 'kafka/consumer.ts', find: 'autoCommit: false', replace: 'autoCommit: true, autoCommitInterval: 50' },
      { file: 'kafka/consumer.ts', find: 'eachBatchAutoResolve: false', replace: 'eachBatchAutoResolve: true' }
    ],
    scenario: { faults: ['runner-database-slow-500ms'] }
  },
  {
    number: 6,
    title: 'a partition without a position begins at its end',
    patches: [
      {
        file: 'runner/locate-positions.ts',
        find: 'byPartition.get(partition)?.logStartOffset ?? 0n',
        replace: 'byPartition.get(partition)?.logEndOffset ?? 0n'
      }
    ],
    scenario: { faults: ['database-emptied'] }
  },
  {
    number: 7,
    title: 'the gateway answers 2xx before Kafka acknowledged',
    patches: [
      {
        file: 'gateway/produce.ts',
        find: 'const results = await producer.append(topic, outgoing, { timeoutMs: leftMs, isPatient, signal })',
        replace:
          "void producer.append(topic, outgoing, { timeoutMs: leftMs, isPatient, signal })\n    const results: Awaited<ReturnType<typeof producer.append>> = outgoing.map(({ partition }) => ({ partition, offset: '0' }))"
      }
    ],
    scenario: { faults: ['gateway-killed'] }
  },
  {
    number: 8,
    title: 'nobody looks which partitions a send covered',
    patches: [
      {
        file: 'kafka/lanes.ts',
        find: 'const baseOffset = coverage.get(toPlace(kafkaTopic, partition))',
        replace: "const baseOffset: string | undefined = coverage.get(toPlace(kafkaTopic, partition)) ?? '0'"
      }
    ],
    scenario: { test: 'test/kafka/producer.test.ts' }
  },
  {
    number: 9,
    title: 'records are sent without their partition',
    patches: [
      {
        file: 'kafka/client.ts',
        find: 'message.partition ?? 0',
        replace: '((message.partition ?? 0) * 0 + Math.floor(Math.random() * 3))'
      }
    ],
    scenario: { faults: ['gateway-killed'] }
  },
  {
    number: 10,
    title: 'an idempotent producer with concurrent sends',
    patches: [
      {
        file: 'kafka/client.ts',
        find: '        retry: { ...PRODUCER.retry, retries: 0 },\n        createPartitioner:',
        replace: '        idempotent: true,\n        retry: PRODUCER.retry,\n        createPartitioner:'
      }
    ],
    // Lanes send one thing at a time to a partition, which hides it under most faults.
    scenario: { test: 'test/kafka/client.test.ts' }
  },
  {
    number: 11,
    title: 'a record is dropped after its last attempt',
    patches: [
      {
        file: 'runner/write-dead.ts',
        find: 'const fresh = await insertDeadLetters(tx, { groupId, topic }, letters)',
        replace:
          'const fresh = new Set<string>(letters.length < 0 ? await insertDeadLetters(tx, { groupId, topic }, []) : [])'
      }
    ],
    scenario: { faults: ['poison-many'] }
  },
  {
    number: 12,
    title: 'a dead letter is written outside of the transaction',
    patches: [
      {
        file: 'runner/write-dead.ts',
        find: 'const fresh = await insertDeadLetters(tx, { groupId, topic }, letters)',
        replace: 'const fresh = await insertDeadLetters(outside as never, { groupId, topic }, letters)'
      },
      {
        file: 'runner/write-dead.ts',
        find: "import { insertOutbox } from '../db/queries/outbox.ts'",
        replace:
          "import { insertOutbox } from '../db/queries/outbox.ts'\nimport postgres from 'postgres'\n\nconst client = postgres(process.env.DATABASE_URL ?? '', { max: 1, fetch_types: false })\nconst outside = { query: (text: string, parameters: never[]) => client.unsafe(text, parameters) }\n"
      }
    ],
    scenario: { faults: ['poison-many', 'runner-database-slow-500ms'] }
  },
  {
    number: 13,
    title: 'ids of events are not unique: every copy is an event',
    patches: [
      {
        file: 'runner/identify.ts',
        find: 'const id = findStatedId(record, topic) ?? idFromPlace(record, place)',
        replace: 'const id = idFromPlace(record, place)'
      }
    ],
    scenario: { faults: ['runner-killed'] }
  },
  {
    number: 14,
    title: 'an outage is taken for a fault of the record',
    patches: [
      {
        file: 'db/database-fault.ts',
        find: "[/^(08|40|53|55P03|57|58)/, 'world']",
        replace: "[/^(08|40|53|55P03|57|58)/, 'record']"
      }
    ],
    scenario: { faults: ['sqlstate-53100'], events: 6_000 }
  },
  {
    number: 15,
    title: 'a fault of the record is taken for an outage',
    patches: [
      {
        file: 'db/database-fault.ts',
        find: "[/^(21|22|23|54|P0)/, 'record']",
        replace: "[/^(21|22|23|54|P0)/, 'world']"
      }
    ],
    scenario: { faults: ['poison-many'] }
  },
  {
    number: 16,
    title: 'what shares a half with a refused row is a dead letter as well',
    patches: [
      {
        file: 'runner/write-entries.ts',
        find: 'if (part.entries.length > 1 || !only) waiting = [...divide(part, refusal), ...waiting]\n      else refuse(only, refusal)',
        replace: 'for (const entry of part.entries) refuse(entry, refusal)'
      }
    ],
    scenario: { faults: ['poison-many'] }
  },
  {
    number: 17,
    title: 'records share the count of their attempts',
    patches: [
      {
        file: 'runner/settle-ahead.ts',
        find: 'else attempt(slot, record, 1, partition.epoch)',
        replace: 'else attempt(slot, record, shared, partition.epoch)'
      },
      {
        file: 'runner/settle-ahead.ts',
        find: 'const { error, waitMs, nextAttempt } = outcome',
        replace: 'const { error, waitMs, nextAttempt } = outcome\n    shared = nextAttempt'
      },
      {
        file: 'runner/settle-ahead.ts',
        find: 'let isClosed = false',
        replace: 'let isClosed = false\n  let shared = 1'
      }
    ],
    scenario: { faults: ['poison-many'] }
  },
  {
    number: 18,
    title: 'a partition that is paused stays so after a rebalance',
    patches: [
      {
        file: 'kafka/consumer.ts',
        find: 'consumer.resume([{ topic: kafkaTopic, partitions: [partition] }])\n      })\n    },',
        replace:
          'if (!resumed.has(partition)) consumer.resume([{ topic: kafkaTopic, partitions: [partition] }])\n        resumed.add(partition)\n      })\n    },'
      },
      {
        file: 'kafka/consumer.ts',
        find: 'let isRunning = false\n',
        replace: 'let isRunning = false\n  const resumed = new Set<number>()\n'
      }
    ],
    scenario: { faults: ['runner-killed'] }
  },
  {
    number: 19,
    title: 'a consumer that joins while it is stopped is not stopped again',
    patches: [
      {
        file: 'kafka/consumer.ts',
        find: 'if (isStopped) return void setTimeout(leaveAgain, 100)',
        replace: 'void leaveAgain'
      },
      { file: 'kafka/consumer.ts', find: 'await joined.promise.catch(() => undefined)', replace: 'void joined' }
    ],
    // The process of a runner ends after its consumers, which hides it under faults.
    scenario: { test: 'test/kafka/consumer.test.ts' }
  },
  {
    number: 20,
    variant: 'as committed',
    title: 'a COMMIT that failed is taken for committed, and no position is compared',
    patches: [
      NO_CLAIM,
      NO_COMPARE,
      NO_CHECK,
      {
        file: 'db/writer.ts',
        find: '    const result = await work(transaction.tx)\n',
        replace: '    const result = await work(transaction.tx)\n    done = { result }\n'
      },
      {
        file: 'db/writer.ts',
        find: '  let isCommitting = false\n',
        replace: '  let isCommitting = false\n  let done: { result: T } | null = null\n'
      },
      {
        file: 'db/writer.ts',
        find: '    if (isStale) throw toLost(',
        replace:
          '    if (isCommitting && isLost && done) return (done as { result: T }).result\n    if (isStale) throw toLost('
      }
    ],
    scenario: { faults: ['runner-database-commit-lost'], events: 8_000 }
  },
  {
    number: 20,
    variant: 'as not committed',
    title: 'a COMMIT that failed is taken for not committed: run again, whatever the position and the inbox say',
    patches: [
      NO_CLAIM,
      NO_COMPARE,
      NO_CHECK,
      {
        file: 'runner/row-effects.ts',
        find: 'mustReload = true\n    if (isCancelled(error))',
        replace: 'if (isCancelled(error))'
      },
      {
        file: 'runner/transaction-effects.ts',
        find: 'if (patience.failingMs() > 0) await reload(partition)',
        replace: 'void reload'
      },
      {
        file: 'runner/attempt-in-transaction.ts',
        find: 'if (current.isKnown) return undefined',
        replace: 'current.isKnown = false'
      }
    ],
    scenario: { faults: ['runner-database-commit-lost'], events: 8_000 }
  },
  {
    number: 21,
    variant: 'scoped globally',
    title: 'an Idempotency-Key means the same in the hands of every subject',
    patches: [
      {
        file: 'gateway/idempotency-key.ts',
        find: "const subject = toStoredSubject(request.subject ?? '')",
        replace: "const subject = toStoredSubject('')"
      }
    ],
    scenario: { test: 'test/gateway/plugins/subjects.test.ts' }
  },
  {
    number: 21,
    variant: 'stored too early',
    title: 'the answer under an Idempotency-Key is stored before the outcome is known, and set right after it',
    patches: [
      {
        file: 'gateway/keyed-requests.ts',
        find: 'return await remember(request, claimed, await run(claimed.plan, before))',
        replace:
          'await writes.finish(request, { status: 202, answer: toEarly(request, claimed.plan) })\n      return await remember(request, claimed, await run(claimed.plan, before))'
      },
      {
        file: 'gateway/keyed-requests.ts',
        find: 'export type RunKeyed =',
        replace: `function toEarly({ route }: KeyedRequest, { records, timestampMs }: StoredPlan) {
  if (route.endsWith('/batch'))
    return { results: records.map((record, index) => ({ index, status: 202, ...record, offset: '0' })) }
  const topic = route.split('/').at(-1)
  return { ...records[0], topic, offset: '0', timestamp: new Date(timestampMs).toISOString() }
}

export type RunKeyed =`
      },
      {
        file: 'db/queries/idempotency.ts',
        find: 'AND (status IS NULL OR status = ',
        replace: 'AND (TRUE OR status = '
      },
      {
        file: 'db/queries/idempotency.ts',
        find: 'AND status IS NULL AND started_at = $4::text::timestamptz`,\n        [...identify(request).slice(0, 3), token, JSON',
        replace: 'AND started_at = $4::text::timestamptz`,\n        [...identify(request).slice(0, 3), token, JSON'
      },
      {
        file: 'db/queries/idempotency.ts',
        find: 'AND status IS NULL AND started_at = $4::text::timestamptz`,\n        [...identify(request).slice(0, 3), token]',
        replace: 'AND started_at = $4::text::timestamptz`,\n        [...identify(request).slice(0, 3), token]'
      }
    ],
    scenario: { faults: ['gateway-killed-before-answer', 'gateway-killed'], useIdempotencyKeys: true }
  },
  {
    number: 21,
    variant: 'a new id',
    title: 'a retry under an Idempotency-Key makes its ids again',
    patches: [
      {
        file: 'db/queries/idempotency.ts',
        find: 'DO UPDATE SET started_at = clock_timestamp(), status = NULL',
        replace:
          'DO UPDATE SET started_at = clock_timestamp(), status = NULL, records = excluded.records, timestamp = excluded.timestamp'
      }
    ],
    scenario: { faults: ['gateway-killed-before-answer', 'gateway-broker-cut-back'], useIdempotencyKeys: true }
  },
  {
    number: 22,
    variant: 'waits inside',
    title: 'the wait for the next attempt of a record is inside the transaction',
    patches: [
      {
        file: 'runner/run-prefix.ts',
        find: 'const attemptOnce = createTransactionAttempt(dependencies)',
        replace: `const attemptOnce = createTransactionAttempt(dependencies)
  const attemptToTheEnd: typeof attemptOnce = async (tx, record, number) => {
    const result = await attemptOnce(tx, record, number)
    const { outcome } = result
    if (outcome.kind !== 'retry') return result
    await new Promise(resolve => setTimeout(resolve, outcome.waitMs))
    return attemptToTheEnd(tx, record, outcome.nextAttempt)
  }`
      },
      {
        file: 'runner/run-prefix.ts',
        find: ': await attemptOnce(tx, record, remembered?.attempt ?? 1)',
        replace: ': await attemptToTheEnd(tx, record, remembered?.attempt ?? 1)'
      }
    ],
    scenario: { test: 'test/runner/run-prefix.test.ts' }
  },
  {
    number: 22,
    variant: 'not revoked',
    title: 'the tx of an attempt that is over is not revoked',
    patches: [
      {
        file: 'runner/attempt-in-transaction.ts',
        find: 'if (!current.isLate) return { outcome',
        replace: 'if (!current.isLate || number > 0) return { outcome'
      }
    ],
    scenario: { faults: ['poison-many'], events: 6_000 }
  },
  {
    number: 23,
    title: "a missing position is filled from Kafka's commit",
    patches: [
      {
        file: 'runner/locate-positions.ts',
        find: 'const nextOffset = byPartition.get(partition)?.logStartOffset ?? 0n',
        replace:
          'const committed = await (cluster as ClusterView).committed(groupId, topic)\n    const nextOffset = committed.get(partition) ?? byPartition.get(partition)?.logStartOffset ?? 0n'
      }
    ],
    scenario: { faults: ['database-emptied'] }
  },
  {
    number: 24,
    title: 'health says ok although a consumer crashed',
    patches: [
      {
        file: 'runner/attach-function.ts',
        find: "starting = { reason: 'the consumer is being made anew' }",
        replace: 'void starting'
      }
    ],
    scenario: { faults: ['only-broker-away'], events: 1_000 }
  },
  {
    number: 25,
    title: 'lag is counted from 0 where there is no position',
    patches: [
      {
        file: 'gateway/place-partitions.ts',
        find: '(nextOffset ?? logStartOffset)',
        replace: '(nextOffset ?? 0n)'
      }
    ],
    scenario: { test: 'test/gateway/routes/api/topics.test.ts' }
  },
  {
    number: 26,
    title: 'what is under way is known by the request, and not by the partition',
    patches: [
      {
        file: 'kafka/producer.ts',
        find: 'const queue = ofTopic.get(partition) ?? openQueue(topic, partition)',
        replace: 'const queue = openQueue(topic, partition)'
      }
    ],
    scenario: { test: 'test/kafka/producer.test.ts' }
  }
]
