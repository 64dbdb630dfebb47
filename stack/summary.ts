/** What there is to tell once everything runs. */
export interface Summary {
  readonly gatewayUrl: string
  readonly runnerUrls: readonly string[]
  readonly kafkaBrokers: string
  readonly databaseUrl: string
  readonly dataFolder: string
  readonly seconds: string
}

/** Gives the text that ends a start on a terminal. No secret is in it. */
export function toSummary({ gatewayUrl, runnerUrls, kafkaBrokers, databaseUrl, dataFolder, seconds }: Summary): string {
  return `
  SMG Kafka runs, after ${seconds} s

  gateway     ${gatewayUrl}   (API: ${gatewayUrl}/docs)
  runners     ${runnerUrls.join(', ') || 'none'}
  Kafka       ${kafkaBrokers}
  PostgreSQL  ${withoutPassword(databaseUrl)}   (password: in stack.json)
  data, logs  ${dataFolder}

  Try   curl ${gatewayUrl}/api/produce/user-activities -H 'content-type: application/json' -d '{"userId":"ada","action":"login"}'
        curl ${gatewayUrl}/api/user-activities
  Stop  Ctrl-C
`
}

/** Gives a link to a database that may be shown. */
export function withoutPassword(databaseUrl: string): string {
  try {
    const url = new URL(databaseUrl)
    url.password = ''
    return url.href
  } catch {
    // Several hosts in one link are legal for PostgreSQL and not for URL.
    return databaseUrl.replace(/^(\w+:\/\/[^:@/]*):.*@/, '$1@')
  }
}
