// What a function file imports from `smg-kafka`.
export { Type } from '@sinclair/typebox'
export { defineFunction } from './define-function.ts'
export { NonRetriableError, RetryAfterError } from './thrown.ts'
export type { Context, Input, Options, Row, Rows, Transaction, TransactionContext } from './types.ts'
