/** A Kafka key, in its own direction. */
export function KeyText({ value }: { readonly value: string | null }) {
  if (value === null) return <span class="faint">no key</span>
  return value === '' ? <span class="faint">empty</span> : <bdi class="mono">{value}</bdi>
}
