/** The most that one event may have, as bytes of JSON. */
export const MAX_EVENT_BYTES = 1_048_576
