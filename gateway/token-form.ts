// header.payload.signature of HS256: 32 bytes are 43 characters of base64url, without padding.
const FORM = /^([A-Za-z0-9_-]{2,1024})\.([A-Za-z0-9_-]{2,8192})\.([A-Za-z0-9_-]{43})$/
const HEADER_MEMBERS = new Set(['alg', 'typ', 'kid', 'cty'])
const TYPES = new Set([undefined, 'JWT', 'jwt', 'at+jwt', 'AT+JWT'])

/**
 * Says whether a token has the one form that is taken: three canonical parts, a header that names HS256 and neither
 * brings a key nor asks for extensions, and no claim that counts twice. The signature is not looked at.
 *
 * The rules are those of RFC 8725 and RFC 7515: a library that reads duplicate members or odd spellings otherwise than
 * the issuer's must not decide.
 */
export function hasTokenForm(token: string): boolean {
  const parts = FORM.exec(token)?.slice(1)
  if (!parts?.every(isCanonical)) return false

  const [header, payload] = parts.map(part => Buffer.from(part, 'base64url').toString('utf8')) as [string, string]
  return isHeader(header) && isPayload(payload)
}

function isHeader(text: string): boolean {
  const header = parseObject(text)
  if (!header || !Object.keys(header).every(name => HEADER_MEMBERS.has(name))) return false
  return header.alg === 'HS256' && TYPES.has(header.typ as string) && isOnce(text, 'alg')
}

function isPayload(text: string): boolean {
  const payload = parseObject(text)
  if (!payload || !['exp', 'nbf', 'sub', 'aud', 'iss', 'scope', 'scopes'].every(name => isOnce(text, name)))
    return false

  const { exp, nbf, sub } = payload
  return isNumericDate(exp) && (nbf === undefined || isNumericDate(nbf)) && typeof sub === 'string' && sub.length > 0
}

function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}

function isOnce(text: string, name: string): boolean {
  return text.split(new RegExp(`"${name}"\\s*:`)).length <= 2
}

function isNumericDate(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < 1e11
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null // no JSON, no token
  }
}
