// Profiles a part of ours under load, compiled, on servers of its own: npm run profile -- drain | produce [options]
import { mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { toCount } from '../options.ts'
import { startServers } from '../servers.ts'
import { DIST } from '../services.ts'
import type { Values } from '../types.ts'
import { profileDrain, profileProduce } from './loads.ts'
import { type CpuProfile, summariseProfile } from './read-profile.ts'
import { toProfileText } from './report.ts'

const LOADS = { drain: profileDrain, produce: profileProduce }

const [name = '', ...args] = process.argv.slice(2)
const load = Object.hasOwn(LOADS, name) ? LOADS[name as keyof typeof LOADS] : undefined
if (!load) {
  console.error(`say what to profile: npm run profile -- ${Object.keys(LOADS).join(' | ')}`)
  process.exit(2)
}
const { values } = parseArgs({
  args,
  options: {
    events: { type: 'string', default: '200000' },
    cold: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '15' },
    connections: { type: 'string', default: '64' },
    top: { type: 'string', default: '25' },
    out: { type: 'string', default: join('.smg', 'profile') }
  }
})
const file = await profile(load, values)
const summary = summariseProfile(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile, DIST)
console.log(toProfileText(summary, { file, top: toCount(values, 'top') }))
process.exit(0)

/** Gives the file that was written. */
async function profile(run: typeof profileDrain, given: Values): Promise<string> {
  const folder = resolve(String(given.out))
  mkdirSync(folder, { recursive: true })
  const fileName = `${name}-${new Date().toISOString().replaceAll(':', '')}.cpuprofile`
  const servers = await startServers()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void servers.stop().finally(() => process.exit(1)))
  try {
    await run(servers, {
      values: given,
      flags: ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${fileName}`]
    })
  } finally {
    await servers.stop()
  }
  return join(folder, fileName)
}
