import { join } from 'node:path'
import { getJars } from './maven-jars.ts'
import type { Site } from './site.ts'

const KAFKA = { name: 'kafka', title: 'Kafka', pom: join(import.meta.dirname, 'kafka', 'pom.xml'), megabytes: 44 }

/**
 * Gives the folder with Kafka's jars.
 *
 * @throws SMG_STACK_NO_MAVEN | SMG_STACK_DOWNLOAD
 */
export function getKafkaJars(site: Site): Promise<string> {
  return getJars(KAFKA, site)
}
