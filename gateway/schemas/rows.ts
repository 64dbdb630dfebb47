import { type TProperties, Type } from '@sinclair/typebox'
import { Id, Nullable, Time, Words } from './values.ts'

const Free = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description })

function rowOf<P extends TProperties>($id: string, description: string, fields: P) {
  const times = { timestamp: Time('when it occurred'), receivedAt: Time('when its row was written') }
  return Type.Object({ id: Id('of the event'), ...fields, ...times }, { $id, description })
}

export const ErrorLevel = Words(['warn', 'error', 'fatal'], 'how bad it is')
export const Channel = Words(['email', 'sms', 'push', 'webhook'], 'the way to the recipient')

export const UserActivity = rowOf('UserActivity', 'What a user did.', {
  userId: Type.String(),
  action: Type.String(),
  metadata: Free('as it was sent; empty when it was not')
})

export const SystemMetric = rowOf('SystemMetric', 'A measurement.', {
  source: Type.String(),
  name: Type.String(),
  value: Type.Number(),
  unit: Nullable(Type.String()),
  labels: Free('as they were sent; empty when they were not')
})

export const ErrorLog = rowOf('ErrorLog', 'What went wrong in a service.', {
  service: Type.String(),
  level: ErrorLevel,
  message: Type.String(),
  stack: Nullable(Type.String()),
  context: Free('as it was sent; empty when it was not')
})

export const Notification = rowOf('Notification', 'A notice.', {
  recipient: Type.String(),
  channel: Channel,
  title: Nullable(Type.String()),
  message: Type.String(),
  metadata: Free('as it was sent; empty when it was not')
})
