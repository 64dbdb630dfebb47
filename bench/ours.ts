import { join } from 'node:path'
import type { Command } from '../stack/launch.ts'
import type { Servers } from './servers.ts'

/** A process of ours. */
export type OurPart = 'gateway' | 'runner'

const ROOT = join(import.meta.dirname, '..')

/** A process of ours, compiled, as in production. */
export function toOurCommand(
  part: OurPart,
  {
    kafkaBrokers,
    databaseUrl,
    port,
    environment
  }: Pick<Servers, 'kafkaBrokers' | 'databaseUrl'> & { port: number; environment: NodeJS.ProcessEnv }
): Command {
  return {
    file: process.execPath,
    args: [join(ROOT, 'dist', part, 'main.js')],
    cwd: ROOT,
    env: {
      ...process.env,
      NODE_ENV: 'production',
      KAFKA_BROKERS: kafkaBrokers,
      DATABASE_URL: databaseUrl,
      TOPIC_REPLICATION_FACTOR: '1',
      TELEMETRY_INTERVAL_MS: '0',
      [part === 'gateway' ? 'PORT' : 'RUNNER_PORT']: String(port),
      ...environment
    }
  }
}
