import { dbErrors } from '../db/errors.ts'
import { gatewayErrors } from '../gateway/errors.ts'
import { kafkaErrors } from '../kafka/errors.ts'
import { runnerErrors } from '../runner/errors.ts'
import { sdkErrors } from '../sdk/errors.ts'
import { stackErrors } from '../stack/errors.ts'

type Catalogue = Readonly<Record<string, new () => Error & { readonly statusCode?: number }>>

/** The errors of every room, by its name. */
export const catalogues: Readonly<Record<string, Catalogue>> = {
  gateway: gatewayErrors,
  sdk: sdkErrors,
  kafka: kafkaErrors,
  db: dbErrors,
  runner: runnerErrors,
  stack: stackErrors
}
