import { useMemo, useState } from 'preact/hooks'
import { toHexRows } from '../bytes.ts'
import { toCount } from '../format.ts'
import { Button } from './button.tsx'
import { ScrollRegion } from './scroll-region.tsx'

const FIRST_ROWS = 32
const MORE_ROWS = 256

/** Bytes as a hex dump, a part at a time. */
export function BytesView({ bytes }: { readonly bytes: Uint8Array }) {
  const [maxRows, setMaxRows] = useState(FIRST_ROWS)
  const rows = useMemo(() => toHexRows(bytes, maxRows), [bytes, maxRows])
  const left = bytes.length - rows.length * 16

  return (
    <ScrollRegion class="code" label="Bytes">
      {rows.map(({ offset, hex, ascii }) => (
        <div key={offset} class="hex__row">
          <span class="faint">{offset}</span>
          <span>{hex}</span>
          <span class="muted">{ascii}</span>
        </div>
      ))}
      {left > 0 && (
        <Button small tone="quiet" onClick={() => setMaxRows(maxRows + MORE_ROWS)}>
          Show more ({toCount(left)} bytes left)
        </Button>
      )}
    </ScrollRegion>
  )
}
