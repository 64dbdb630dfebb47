import { isIPv6 } from 'node:net'

/** Gives the key that an address is counted under: itself, and for IPv6 its /64, which one household has whole. */
export function addressKey(address: string): string {
  return isIPv6(address) && !address.includes('.')
    ? `address ${expand(address).slice(0, 4).join(':')}`
    : `address ${address}`
}

function expand(address: string): string[] {
  const [left = '', right] = address.split('::')
  const head = left.split(':').filter(Boolean)
  const tail = (right ?? '').split(':').filter(Boolean)
  const zeros = right === undefined ? [] : Array<string>(8 - head.length - tail.length).fill('0')
  return [...head, ...zeros, ...tail]
}
