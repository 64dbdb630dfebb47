import { useMemo, useState } from 'preact/hooks'
import { fromBase64, toText } from '../bytes.ts'
import { toBytes } from '../format.ts'
import { BytesView } from './bytes-view.tsx'
import { CopyButton } from './copy-button.tsx'
import { JsonView, Text } from './json-view.tsx'
import { Panel } from './panel.tsx'
import { ScrollRegion } from './scroll-region.tsx'
import { Tabs } from './tabs.tsx'

interface ValueViewProps {
  readonly title: string
  /** What JSON says; ignored where the bytes are no JSON. */
  readonly value: unknown
  /** The bytes as they were sent; undefined where only the value is known, null for a null value. */
  readonly base64?: string | null
}

type View = 'tree' | 'text' | 'hex'

/** A value in every way that it can be looked at: as JSON, as text, as bytes. */
export function ValueView({ title, value, base64 }: ValueViewProps) {
  const bytes = useMemo(() => (base64 ? fromBase64(base64) : null), [base64])
  const text = useMemo(() => toShownText(value, base64, bytes), [value, base64, bytes])
  const isJson = useMemo(() => base64 === undefined || (text !== null && isJsonText(text)), [base64, text])
  const [chosen, setChosen] = useState<View | null>(null)

  if (base64 === null) return <Bare title={title}>null: the record has no value</Bare>
  if (base64 === '') return <Bare title={title}>empty: the value has no bytes</Bare>
  const views: { name: View; label: string }[] = []
  if (isJson) views.push({ name: 'tree', label: 'JSON' })
  if (text !== null) views.push({ name: 'text', label: 'Text' })
  if (bytes) views.push({ name: 'hex', label: 'Bytes' })
  const current = views.find(({ name }) => name === chosen)?.name ?? views[0]?.name ?? 'text'
  const size = bytes?.length ?? new TextEncoder().encode(text ?? '').length

  return (
    <Panel
      title={title}
      description={toBytes(size)}
      actions={
        <CopyButton what="the value" text={() => text ?? base64 ?? ''}>
          Copy
        </CopyButton>
      }
    >
      <div class="value">
        <Tabs label={title} tabs={views} current={current} onChange={setChosen}>
          {current === 'tree' && <JsonView value={value} label={title} />}
          {current === 'text' && <Lines text={text ?? ''} />}
          {current === 'hex' && bytes && <BytesView bytes={bytes} />}
        </Tabs>
      </div>
    </Panel>
  )
}

function Bare({ title, children }: { readonly title: string; readonly children: string }) {
  return (
    <Panel title={title}>
      <p class="faint">{children}</p>
    </Panel>
  )
}

function Lines({ text }: { readonly text: string }) {
  return (
    <ScrollRegion class="code value__text" label="Text" dir="auto">
      <Text text={text} />
    </ScrollRegion>
  )
}

/** The text of bytes, or of a value that came as JSON; null for bytes that are no text. */
function toShownText(value: unknown, base64: string | null | undefined, bytes: Uint8Array | null): string | null {
  if (base64 === undefined) return JSON.stringify(value, null, 2)
  return bytes === null ? null : toText(bytes)
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false // shown as text then
  }
}
