import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, parse, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sdkErrors } from './errors.ts'
import { parseDefinition } from './parse-definition.ts'
import type { LoadedFunction } from './types.ts'

// Kafka's rule for names (org.apache.kafka.common.internals.Topic) with less length: a prefix, a group and `dlq.` must fit beside it.
const LEGAL_TOPIC = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,100}$/
const MODULE = /(?<!\.d)\.(ts|js|mjs)$/

/**
 * Imports every function of a folder; a file's name without its ending is its topic.
 *
 * @param options.retentionHours for functions that do not say
 * @returns functions by topic, in the order of their file names, with every default filled in
 * @throws SMG_SDK_NO_FUNCTIONS | SMG_SDK_BAD_TOPIC | SMG_SDK_TOPIC_TWICE | SMG_SDK_BAD_FILE, each with file, field and reason
 */
export async function loadFunctions(
  folder: string,
  options: { retentionHours: number }
): Promise<Map<string, LoadedFunction>> {
  const files = await listModules(folder)
  const functions = new Map<string, LoadedFunction>()

  for (const file of files) {
    const topic = parse(file).name
    checkTopic(file, topic)
    const twin = files.find(other => other !== file && parse(other).name === topic)
    if (twin) throw new sdkErrors.SMG_SDK_TOPIC_TWICE(file, twin, topic)
    const exported = await importDefault(folder, file)
    const fileHash = createHash('sha256')
      .update(await readFile(join(folder, file)))
      .digest('hex')
    functions.set(topic, parseDefinition(exported, { file, fileHash, topic, ...options }))
  }
  return functions
}

/**
 * Picks functions by topic; all of them without `topics`.
 *
 * @throws SMG_SDK_UNKNOWN_FUNCTION
 */
export function pickFunctions(
  functions: ReadonlyMap<string, LoadedFunction>,
  topics: readonly string[] | undefined
): LoadedFunction[] {
  const unknown = topics?.find(topic => !functions.has(topic))
  if (unknown !== undefined) {
    throw new sdkErrors.SMG_SDK_UNKNOWN_FUNCTION(unknown, [...functions.keys()].join(', ') || 'none')
  }
  return [...functions.values()].filter(({ topic }) => topics?.includes(topic) ?? true)
}

async function listModules(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries
      .filter(entry => !entry.isDirectory() && MODULE.test(entry.name))
      .map(entry => entry.name)
      .sort()
  } catch (cause) {
    throw Object.assign(new sdkErrors.SMG_SDK_NO_FUNCTIONS((cause as Error).message), { cause })
  }
}

function checkTopic(file: string, topic: string) {
  if (!LEGAL_TOPIC.test(topic)) {
    throw new sdkErrors.SMG_SDK_BAD_TOPIC(file, 'a topic has 1 to 100 letters, digits, dots, hyphens and underscores')
  }
  if (topic.startsWith('__') || topic.startsWith('dlq.')) {
    throw new sdkErrors.SMG_SDK_BAD_TOPIC(file, 'names that begin with __ or dlq. are the system’s own')
  }
}

async function importDefault(folder: string, file: string): Promise<unknown> {
  try {
    const module = await import(pathToFileURL(resolve(join(folder, file))).href)
    return module.default
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw Object.assign(new sdkErrors.SMG_SDK_BAD_FILE(file, 'import', reason), { cause })
  }
}
