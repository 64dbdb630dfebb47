import kafkajs, { type Admin } from 'kafkajs'
import { retry } from './postgres.ts'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs

/** The parties that reach the brokers through proxies. */
export type Party = 'gateway' | 'runner'

/** What a party may not do. */
interface Denial {
  readonly resource: 'topic' | 'group'
  /** In Kafka, with its prefix. */
  readonly name: string
  /** `all` takes away the right to know of it, too. */
  readonly operation: 'read' | 'write' | 'all'
}

/** Rights in Kafka, which everyone has until they are taken away. */
export interface Access {
  /** Takes rights away from a party; the others keep theirs. */
  deny(party: Party, denials: readonly Denial[]): Promise<void>
  /** Gives everything back that was taken away. Does nothing when nothing was. */
  restore(): Promise<void>
}

// Without a password everyone is ANONYMOUS: a party is known by where it comes from.
const ADDRESSES: Readonly<Record<Party, string>> = { gateway: '127.0.0.2', runner: '127.0.0.3' }
const EVERYONE = { principal: 'User:*', host: '*', operation: AclOperationTypes.ALL }
const RESOURCES = { topic: AclResourceTypes.TOPIC, group: AclResourceTypes.GROUP } as const
const OPERATIONS = { read: AclOperationTypes.READ, write: AclOperationTypes.WRITE, all: AclOperationTypes.ALL } as const

/** Gives the address that a party connects from; undefined where a machine has but one loopback address. */
export function toAddress(party: Party): string | undefined {
  return process.platform === 'linux' ? ADDRESSES[party] : undefined
}

/** Builds the rights of a cluster whose authorizer lets everyone do what no ACL speaks of. */
export function createAccess(withAdmin: <T>(work: (admin: Admin) => Promise<T>) => Promise<T>): Access {
  const spokenOf = new Map<string, Denial>()

  return {
    async deny(party, denials) {
      for (const denial of denials) spokenOf.set(`${denial.resource}/${denial.name}`, denial)
      // With the first ACL on a resource, who has none of his own may do nothing: everyone else gets one before.
      await create(
        denials.map(denial => ({ ...toResource(denial), ...EVERYONE, permissionType: AclPermissionTypes.ALLOW }))
      )
      const denied = { principal: 'User:*', host: ADDRESSES[party], permissionType: AclPermissionTypes.DENY }
      await create(
        denials.map(denial => ({ ...toResource(denial), ...denied, operation: OPERATIONS[denial.operation] }))
      )
    },
    async restore() {
      const denials = [...spokenOf.values()]
      if (denials.length === 0) return
      for (const permissionType of [AclPermissionTypes.DENY, AclPermissionTypes.ALLOW]) {
        const any = { operation: AclOperationTypes.ANY, permissionType }
        const filters = denials.map(denial => ({ ...toResource(denial), ...any }))
        await retry(() => withAdmin(admin => admin.deleteAcls({ filters })))
      }
      for (const { resource, name } of denials) spokenOf.delete(`${resource}/${name}`)
    }
  }

  async function create(acl: Parameters<Admin['createAcls']>[0]['acl']): Promise<void> {
    await retry(() => withAdmin(admin => admin.createAcls({ acl })))
  }
}

function toResource({ resource, name }: Denial) {
  return { resourceType: RESOURCES[resource], resourceName: name, resourcePatternType: ResourcePatternTypes.LITERAL }
}
