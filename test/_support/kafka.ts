import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { createKafkaClient, type KafkaClient } from '../../kafka/client.ts'
import type { KafkaSettings } from '../../kafka/config.ts'
import { testStack } from './stack.ts'

/** Says nothing. */
export const silent = pino({ enabled: false })

/** Gives the brokers of the run, `host:port` and commas. */
export function testBrokers(): string {
  return testStack().kafkaBrokers
}

/** Gives settings for the brokers of the tests. */
function testKafkaSettings(overrides: Partial<KafkaSettings> = {}): KafkaSettings {
  return {
    KAFKA_BROKERS: testBrokers(),
    KAFKA_SSL: false,
    TOPIC_PREFIX: '',
    GROUP_PREFIX: 'smg.',
    TOPIC_CREATE: true,
    ...overrides
  }
}

/** Makes a client whose topics no other test shares: each has a prefix of its own. */
export function createTestClient(overrides: Partial<KafkaSettings> = {}): KafkaClient {
  const TOPIC_PREFIX = `t-${randomUUID()}.`
  return createKafkaClient(testKafkaSettings({ TOPIC_PREFIX, ...overrides }), { clientId: 'smg-test', log: silent })
}

/** Waits until `holds` gives true; rejects after `timeoutMs`. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`did not come true within ${timeoutMs} ms: ${holds}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
