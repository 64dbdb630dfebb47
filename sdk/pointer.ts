const MAX_NAME = 100
const MAX_POINTER = 512

/** Gives the JSON pointer (RFC 6901) of a member of what `path` points at, cut where a client could make it endless. */
export function toPointer(path: string, name: string): string {
  const safe = name.replaceAll('\u0000', '').slice(0, MAX_NAME).toWellFormed()
  return cutPointer(`${path}/${safe.replaceAll('~', '~0').replaceAll('/', '~1')}`)
}

/** Gives a pointer of 512 characters at most: of a longer one as many whole members, from the outermost, as that holds. */
export function cutPointer(path: string): string {
  if (path.length <= MAX_POINTER) return path
  const whole = path.slice(0, Math.max(0, path.lastIndexOf('/', MAX_POINTER)))
  return whole === '' ? path.slice(0, MAX_POINTER).toWellFormed() : whole
}
