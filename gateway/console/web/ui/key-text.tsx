import { Text } from './json-view.tsx'

/** A Kafka key, in its own direction. */
export function KeyText({ value }: { readonly value: string | null }) {
  if (value === null) return <span class="faint">no key</span>
  if (value === '') return <span class="faint">empty</span>
  return (
    <span class="mono">
      <Text text={value} />
    </span>
  )
}
