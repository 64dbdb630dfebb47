/** The most that one event may have, as bytes of JSON. */
export const MAX_EVENT_BYTES = 1_048_576

/** The most lines that are not empty in one body of NDJSON. */
export const MAX_LINES = 10_000

/** The most empty lines in one body of NDJSON: they count against no limit of events. */
export const MAX_EMPTY_LINES = 10_000
