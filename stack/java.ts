import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stackErrors } from './errors.ts'

const OLDEST = 17

/**
 * Finds a Java that Kafka runs on: JAVA_HOME's, else the first in the PATH.
 *
 * @throws SMG_STACK_NO_JAVA | SMG_STACK_OLD_JAVA with its version
 */
export async function findJava(environment: NodeJS.ProcessEnv): Promise<string> {
  const { JAVA_HOME } = environment
  const atHome = JAVA_HOME ? join(JAVA_HOME, 'bin', 'java') : null
  const java = atHome && existsSync(atHome) ? atHome : 'java'

  const version = await readVersion(java, environment)
  // Before Java 9 the version began with 1.
  const [, major] = /^(?:1\.)?(\d+)/.exec(version) ?? []
  if (Number(major) < OLDEST) throw new stackErrors.SMG_STACK_OLD_JAVA(java, version)
  return java
}

async function readVersion(java: string, environment: NodeJS.ProcessEnv): Promise<string> {
  try {
    const { stderr } = await promisify(execFile)(java, ['-version'], { env: environment })
    const [, version = ''] = /version "([^"]+)"/.exec(stderr) ?? []
    return version
  } catch (error) {
    // Not there, or a stub that only tells where to get one (macOS).
    throw new stackErrors.SMG_STACK_NO_JAVA({ cause: error })
  }
}
