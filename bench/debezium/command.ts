import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { findJava } from '../../stack/java.ts'
import type { Command } from '../../stack/launch.ts'
import { getJars } from '../../stack/maven-jars.ts'
import { runTask } from '../../stack/run-task.ts'
import type { ContenderRun } from '../contenders.ts'
import { toConnectConfig, toText } from './connect-config.ts'

const HERE = import.meta.dirname
const JARS = { name: 'bench-debezium', title: 'Debezium and Kafka Connect', pom: join(HERE, 'pom.xml'), megabytes: 63 }
// The collector with the least work, whose pauses are of no concern here: 131 µs of CPU an event for all processes, and 159
// with G1, which is Kafka Connect's own choice (one round of 50,000 events).
const JVM = ['-Xms256m', '-Xmx1g', '-XX:+UseParallelGC', '-Djava.awt.headless=true']

/**
 * Makes the process of Kafka Connect with Debezium's two sinks; its files are in the folder of the run.
 *
 * @throws SMG_STACK_NO_JAVA | SMG_STACK_NO_MAVEN | SMG_STACK_DOWNLOAD; SMG_STACK_TASK_FAILED where Java has no compiler
 */
export async function toDebeziumCommand(run: ContenderRun): Promise<Command> {
  const { site, folder } = run
  const java = await findJava(site.environment)
  const jars = await getJars(JARS, site)
  const classPath = readdirSync(jars)
    .filter(file => file.endsWith('.jar'))
    .map(file => join(jars, file))
    .join(delimiter)

  mkdirSync(folder)
  const toCommand = (args: readonly string[]): Command => ({ file: java, args, cwd: folder, env: site.environment })
  // Only the launcher `javac` knows `*` in a class path, and it need not be where `java` is.
  const compile = ['-m', 'jdk.compiler/com.sun.tools.javac.Main', '-cp', classPath, '-d', folder]
  await runTask(toCommand([...compile, join(HERE, 'Rows.java')]), { ...site, name: 'javac' })

  const files = toConnectConfig(run).map(({ file, properties }) => {
    const path = join(folder, file)
    // It holds the password of the database.
    writeFileSync(path, toText(properties), { mode: 0o600 })
    return path
  })
  return toCommand([
    ...JVM,
    // Debezium gives times to PostgreSQL without their zone, and the session has that of the JVM.
    '-Duser.timezone=UTC',
    `-Dlog4j2.configurationFile=${join(HERE, 'log4j2.properties')}`,
    '-cp',
    [folder, classPath].join(delimiter),
    'org.apache.kafka.connect.cli.ConnectStandalone',
    ...files
  ])
}
