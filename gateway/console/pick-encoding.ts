export type Encoding = 'br' | 'gzip' | 'identity'

const PREFERRED = ['br', 'gzip'] as const

/** The smallest encoding that an `Accept-Encoding` allows (RFC 9110 section 12.5.3); without the field none. */
export function pickEncoding(accepted: string | undefined): Encoding {
  const allowed = (accepted ?? '')
    .split(',')
    .filter(item => !/;\s*q=0(\.0{0,3})?\s*$/i.test(item))
    .map(item => item.split(';', 1)[0]?.trim().toLowerCase())
  return PREFERRED.find(name => allowed.includes(name)) ?? 'identity'
}
