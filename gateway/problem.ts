import type { ProblemExtras } from './errors.ts'

// RFC 9457 lets `type` be any URI that stays the same; two of them are registered.
const TYPES: Record<string, string> = {
  SMG_GATEWAY_RATE_LIMIT: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
  SMG_GATEWAY_OVERLOADED: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity'
}
const MAX_INSTANCE = 1024

/** The URI that names a code in problems, and in `openapi/errors.md`. */
export function problemType(code: string): string {
  return TYPES[code] ?? `urn:smg-kafka:error:${code}`
}

/** Makes an error into an RFC 9457 problem: nothing of its stack or its cause. */
export function toProblem(
  error: Error & { code: string; statusCode?: number } & ProblemExtras,
  { title, instance }: { title: string; instance: string }
) {
  return {
    type: problemType(error.code),
    code: error.code,
    status: error.statusCode ?? 500,
    title,
    detail: error.message,
    instance: instance.slice(0, MAX_INSTANCE),
    ...(error.faults && { errors: error.faults }),
    ...(error.results && { results: error.results }),
    ...(error.violatedPolicies && { 'violated-policies': error.violatedPolicies })
  }
}
