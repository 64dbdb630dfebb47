import { Type } from 'smg-kafka'

/** What every function of the fault tests takes. */
export const Event = Type.Object({
  /** Names the request that sent it, for ever. */
  ref: Type.String({ minLength: 1, maxLength: 64 }),
  key: Type.String({ minLength: 1, maxLength: 64 }),
  /** Counts the events of its key, in the order in which they were scheduled. */
  seq: Type.Integer(),
  /** What is to become of it, where that is not an effect. */
  kind: Type.Optional(Type.String()),
  pad: Type.Optional(Type.String()),
  /** Anything at all. */
  data: Type.Optional(Type.Unknown())
})
