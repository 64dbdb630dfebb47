import { createError } from '@fastify/error'

/** What ends `npm run demo` early; each names its remedy. Released codes are never renamed or reused. */
export const demoErrors = {
  SMG_DEMO_BAD_OPTION: createError('SMG_DEMO_BAD_OPTION', '%s; `npm run demo -- --help` lists the options'),
  SMG_DEMO_NOT_RUNNING: createError(
    'SMG_DEMO_NOT_RUNNING',
    'The stack is not running (there is no %s): start it with npm start, or name a gateway with --url'
  ),
  SMG_DEMO_NO_GATEWAY: createError('SMG_DEMO_NO_GATEWAY', 'No gateway answers at %s (%s): start it with npm start'),
  SMG_DEMO_NO_ACCESS: createError(
    'SMG_DEMO_NO_ACCESS',
    'The gateway answers %s to %s: set SMG_TOKEN to a token with the scopes read and produce:*'
  )
} as const
