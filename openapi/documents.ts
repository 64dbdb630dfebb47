import { pino } from 'pino'
import type { Sql } from 'postgres'
import { createGatewayQueries, createGatewayWrites } from '../db/queries/gateway.ts'
import { buildApp } from '../gateway/app.ts'
import { readGatewaySettings } from '../gateway/config.ts'
import { problemType } from '../gateway/problem.ts'
import type { GatewayDependencies } from '../gateway/types.ts'
import { loadFunctions } from '../sdk/load-functions.ts'
import { catalogues } from './catalogues.ts'
import { REMEDIES } from './remedies.ts'

// The app is built and never listens: nothing is asked of what it is built of.
const unused = {} as never
const DEFAULTS = { KAFKA_BROKERS: 'unused:9092', DATABASE_URL: 'postgres://unused/unused' }

/** Gives the documents of the functions in a folder, by file name, as texts that two runs write alike. */
export async function buildDocuments(functionsFolder: string): Promise<Record<string, string>> {
  const functions = await loadFunctions(functionsFolder, { retentionHours: 1 })
  const dependencies: GatewayDependencies = {
    functions,
    // The app wants to hear of sends, and there are none.
    producer: { onSend: () => undefined } as never,
    cluster: unused,
    queries: createGatewayQueries({} as Sql),
    writes: createGatewayWrites({} as Sql, unused),
    alertTurns: unused,
    settings: readGatewaySettings(DEFAULTS).settings,
    log: pino({ enabled: false })
  }
  const app = await buildApp(dependencies)
  await app.ready()
  const documents = { 'openapi.json': toText(app.swagger()), 'asyncapi.json': toText(app.asyncapi()) }
  await app.close()
  return documents
}

function toText(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`
}

/** Gives the page of all error codes; a code that has no remedy yet shows a question mark. */
export function buildErrorPage(): string {
  const rooms = Object.entries(catalogues).map(([room, catalogue]) => {
    const lines = Object.entries(catalogue).map(([code, CodedError]) => toLine(code, new CodedError()))
    return `## ${room}\n\n| code | status | when | what to do |\n|---|---|---|---|\n${lines.join('\n')}\n`
  })
  return `# Errors

Written by \`npm run openapi\` from the catalogues of the rooms. Over HTTP an error is a problem of RFC 9457 whose \`type\`
is \`${problemType('<code>')}\`, but for
${registered()}.
Only codes of the gateway leave it over HTTP; those of the other rooms are met in logs, dead letters and at the start. A
status in brackets is never answered. A released code is never renamed or reused. \`…\` stands for what varies.

${rooms.join('\n')}`
}

function toLine(code: string, { message, statusCode = 500 }: Error & { statusCode?: number }): string {
  // A code without a remedy does not stop the others from being written: the test of this file does.
  const remedy = REMEDIES[code] ?? '?'
  const isAnswered = code.startsWith('SMG_GATEWAY_') && !/_(BAD_SETTING|PORT_TAKEN|WEBHOOK_\w+)$/.test(code)
  const when = message.replaceAll('%s', '…').replaceAll('|', '\\|')
  return `| \`${code}\` | ${isAnswered ? statusCode : `(${statusCode})`} | ${when} | ${remedy} |`
}

function registered(): string {
  const codes = ['SMG_GATEWAY_RATE_LIMIT', 'SMG_GATEWAY_OVERLOADED']
  return codes.map(code => `\`${code}\` (\`${problemType(code)}\`)`).join(' and\n')
}
