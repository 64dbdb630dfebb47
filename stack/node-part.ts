import { join } from 'node:path'
import type { Command } from './launch.ts'
import type { Log } from './output.ts'
import type { PartSpec } from './part.ts'
import { type FindPort, isFree } from './ports.ts'

/** A part of the system that listens on HTTP: the gateway, or a runner. */
export interface NodePartOptions {
  readonly name: string
  /** Its `main.ts`, from the root. */
  readonly main: string
  readonly root: string
  readonly host: string
  readonly preferredPort: number
  /** The variable that takes its port. */
  readonly portVariable: 'PORT' | 'RUNNER_PORT'
  readonly environment: NodeJS.ProcessEnv
  readonly stopDeadlineMs: number
  readonly findPort: FindPort
  readonly log: Log
}

export interface NodePart {
  readonly spec: PartSpec
  /** Where it listens; empty before its first start. The same after each later start, unless someone took the port. */
  readonly url: () => string
}

const PROBE_TIMEOUT_MS = 2_000
const FIRST_ATTEMPTS = 5
/** How the parts end when their configuration or a function file is wrong. */
const MISCONFIGURED = 2

/** Describes a part that runs in Node. */
export function describeNodePart(options: NodePartOptions): NodePart {
  const { name, main, root, host, preferredPort, portVariable, findPort, log } = options
  const hostInUrl = toReachable(host)
  let port = 0

  const choosePort = async () => {
    if (port > 0 && (await isFree(port, host))) return port
    const wanted = port || preferredPort
    const found = await findPort(wanted, host)
    if (wanted > 0 && found !== wanted) log.warn(`port ${wanted} is taken: ${name} listens on ${found}`)
    return found
  }

  return {
    url: () => (port ? `http://${hostInUrl}:${port}` : ''),
    spec: {
      name,
      async command() {
        port = await choosePort()
        return toNodeCommand(main, root, { ...options.environment, HOST: host, [portVariable]: String(port) })
      },
      isReady: () => isAnswering(`http://${hostInUrl}:${port}/health/ready`),
      stopDeadlineMs: options.stopDeadlineMs,
      firstAttempts: FIRST_ATTEMPTS,
      // A port that someone took meanwhile ends a part the same way; there the next try gets another one.
      isMisconfigured: async ({ code }) => code === MISCONFIGURED && (await isFree(port, host))
    }
  }
}

/** Runs a TypeScript file of ours: by tsx, or as it is where Node strips types. No wrapper: the pid is the worker's. */
export function toNodeCommand(main: string, root: string, env: NodeJS.ProcessEnv): Command {
  // From 22.18 on it is there without a flag; the types of Node 20 do not know it.
  const stripsTypes = 'typescript' in process.features && process.features.typescript
  return {
    file: process.execPath,
    args: [...(stripsTypes ? [] : ['--import', 'tsx']), join(root, main)],
    cwd: root,
    env
  }
}

/** Says whether a URL answers 200. */
export async function isAnswering(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })
    await response.body?.cancel()
    return response.status === 200
  } catch {
    // Nobody there yet.
    return false
  }
}

/** Of a host to listen on, the one to connect to. */
function toReachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
