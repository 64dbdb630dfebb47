import { type TSchema, Type } from '@sinclair/typebox'

/** A point in time of an answer. */
export const Time = (description: string) =>
  Type.String({ format: 'date-time', description, examples: ['2026-01-31T12:00:00.000Z'] })

/** An id of an answer. */
export const Id = (description: string) =>
  Type.String({ format: 'uuid', description, examples: ['019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b'] })

/** Decimal, because 64 bits do not fit a number of JSON. */
export const Offset = (description: string) => Type.String({ pattern: '^\\d+$', description, examples: ['41'] })

/** A count, or anything else that is whole and not negative. */
export const Count = (description: string) => Type.Integer({ minimum: 0, description })

/** A value or null. */
export const Nullable = <S extends TSchema>(schema: S, description?: string) =>
  Type.Union([schema, Type.Null()], description ? { description } : {})

/** One of some words. */
export const Words = <const W extends readonly string[]>(words: W, description: string) =>
  Type.Unsafe<W[number]>({ type: 'string', enum: [...words], description })

/** A filter for equal text. */
export const Filter = (description: string, example: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 1024, description, examples: [example] }))

/** The topic of a function, as a filter or in a path. */
export const TopicName = (description: string) =>
  Type.String({ minLength: 1, maxLength: 100, description, examples: ['user-activities'] })
