import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { gatewayErrors } from '../errors.ts'

/** As `lookup` of node:dns. */
type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void
) => void

// What leads nowhere public (https://www.iana.org/assignments/iana-ipv4-special-registry), and the one public address at
// which a cloud tells about a machine from inside: Azure's. The others have theirs in 169.254, 100.64, 192.0.0 and fd00.
const SPECIAL_4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4]
] as const

/** Before an IPv4 address in an IPv6 one: mapped, and by NAT64. */
const EMBEDDING = ['::ffff:', '64:ff9b::'] as const

// Of IPv6 only this is given out (https://www.iana.org/assignments/ipv6-address-space), and some of it not to hosts.
const GLOBAL_6 = [['2000::', 3], ...EMBEDDING.map(before => [`${before}0.0.0.0`, 96] as const)] as const
const SPECIAL_6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ...EMBEDDING.flatMap(before => SPECIAL_4.map(([network, bits]) => [`${before}${network}`, 96 + bits] as const))
] as const

const special4 = toList(SPECIAL_4, 'ipv4')
const global6 = toList(GLOBAL_6, 'ipv6')
const special6 = toList(SPECIAL_6, 'ipv6')

/**
 * Whether an IP address is in no range that is never public. A host of one's own with a public address is public: what keeps
 * it apart is a rule of the network.
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !special4.check(address, 'ipv4')
    case 6:
      return global6.check(address, 'ipv6') && !special6.check(address, 'ipv6')
    default:
      return false
  }
}

/** Whether the host of a URL is written as an IP address that is not public: of such a one no name is looked up. */
export function hasPrivateAddress({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return isIP(host) !== 0 && !isPublicAddress(host)
}

/**
 * Builds a lookup of names that gives the public ones of their addresses. It is asked by the connection itself, so that a
 * name cannot lead to one address when it is checked and to another when it is used. Fails with
 * SMG_GATEWAY_WEBHOOK_PRIVATE where none is left.
 */
export function createPublicLookup(resolve: Resolve = lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, [])
      const found = addresses.filter(({ address }) => isPublicAddress(address))
      const [first] = found
      if (!first) return callback(new gatewayErrors.SMG_GATEWAY_WEBHOOK_PRIVATE(), [])
      if (options.all) callback(null, found)
      else callback(null, first.address, first.family)
    })
  }
}

function toList(subnets: readonly (readonly [network: string, bits: number])[], version: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const [network, bits] of subnets) list.addSubnet(network, bits, version)
  return list
}
