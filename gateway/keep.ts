/** Remembers what `make` gave for a key, for ever: keys must be few. */
export function keep<K, V>(make: (key: K) => V): (key: K) => V {
  const kept = new Map<K, V>()
  return key => {
    const known = kept.get(key)
    if (known !== undefined) return known
    const made = make(key)
    kept.set(key, made)
    return made
  }
}
