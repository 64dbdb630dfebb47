import type { ImportCounts } from './import-dead-letters.ts'

/** Says how far an import is, in one line. */
export function toProgress({ read, total, imported }: ImportCounts): string {
  return `${read} of ${total} records read, ${imported} imported`
}

/** Says what an import came to. */
export function toSummary(
  { read, total, imported, settled, present, lost, dialects }: ImportCounts,
  { topic, functionTopic, isDry }: { topic: string; functionTopic: string; isDry: boolean }
): string {
  const kinds = Object.entries(dialects).filter(([, count]) => count > 0)
  const facts = [
    `${read} of ${total} records of ${topic} read`,
    `${imported} ${isDry ? 'would be imported' : 'imported'} for ${functionTopic}${kinds.length > 0 ? `: ${kinds.map(([name, count]) => `${name} ${count}`).join(', ')}` : ''}`,
    `${present} were there already`,
    `${settled} are settled: their event had its effect`,
    ...(lost > 0 ? [`${lost} have no value: their source does not hold it any more`] : [])
  ]
  const next = imported > 0 && !isDry ? [`Redrive them: POST /api/dead-letters/redrive, disposition imported`] : []
  return [...facts.map(fact => `  ${fact}`), ...next, ''].join('\n')
}
