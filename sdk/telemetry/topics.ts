/** Where readings go. */
export const METRICS_TOPIC = 'system-metrics'
/** Where a process's own errors go. */
export const ERRORS_TOPIC = 'error-logs'

/** What carries telemetry, and is never told of by it. */
export const TELEMETRY_TOPICS: ReadonlySet<string> = new Set([METRICS_TOPIC, ERRORS_TOPIC])
