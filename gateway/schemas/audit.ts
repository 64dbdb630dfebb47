import { Type } from '@sinclair/typebox'
import { Id, Nullable, Time, Words } from './values.ts'

export const AuditAction = Words(
  ['pause', 'resume', 'position', 'redrive', 'redrive_many', 'discard', 'import'],
  'what was done'
)

/** An action of an operator. */
export const AuditEntry = Type.Object(
  {
    id: Id('of the action'),
    at: Time('when it was done'),
    operator: Nullable(
      Type.String({ examples: ['ada'] }),
      '`cli:` and an account for a command; null without security'
    ),
    action: AuditAction,
    topic: Nullable(Type.String({ examples: ['user-activities'] }), 'null for several'),
    details: Type.Record(Type.String(), Type.Unknown(), { description: 'what it was about, by action' }),
    requestId: Nullable(Type.String(), '`x-request-id` of the answer, `reqId` of the log; null for a command')
  },
  { $id: 'AuditEntry', description: 'What an operator did.' }
)
