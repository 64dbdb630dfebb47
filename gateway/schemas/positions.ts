import { Type } from '@sinclair/typebox'
import { Count, Nullable, Offset } from './values.ts'

const Place = Type.String({
  minLength: 1,
  maxLength: 100,
  description:
    '`earliest`, `latest`, or a point in time in ISO 8601 with offset: then the first record that was stamped at it or later',
  examples: ['earliest', '2026-01-31T12:00:00Z']
})

const Offsets = Type.Record(
  Type.String({ pattern: '^(0|[1-9]\\d{0,8})$' }),
  Type.String({ pattern: '^(0|[1-9]\\d{0,17})$' }),
  {
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 10_000,
    description: 'offsets by partition; the others stay',
    examples: [{ 0: '41' }]
  }
)

/** Where an operator wants positions. */
export const PositionRequest = Type.Object({
  to: Type.Union([Place, Offsets], { description: 'where the function goes on' }),
  dryRun: Type.Optional(Type.Boolean({ description: 'look, and move nothing', examples: [true] }))
})

const PositionMove = Type.Object({
  partition: Type.Integer({ minimum: 0 }),
  from: Nullable(Offset('of the position before'), 'null where there was none'),
  to: Offset('of the position after'),
  records: Count('offsets between the two, as far as Kafka still holds them: handled again, or skipped'),
  settledAlready: Nullable(
    Count('those of them that are settled: they get no second effect'),
    'null when counting them takes too long'
  )
})

/** What became of positions, or would become. */
export const PositionMoves = Type.Object(
  {
    topic: Type.String({ examples: ['user-activities'] }),
    dryRun: Type.Boolean({ description: 'nothing was moved' }),
    partitions: Type.Array(PositionMove, { description: 'those that were named, or all' })
  },
  { $id: 'PositionMoves', description: 'Positions of a topic’s function, and where they go.' }
)
