import { useState } from 'preact/hooks'
import { toBytes } from '../format.ts'
import { Button } from './button.tsx'
import { ScrollRegion } from './scroll-region.tsx'

const MAX_TEXT = 2_000
const MAX_MEMBERS = 100

interface JsonViewProps {
  readonly value: unknown
  /** How many levels are open at first. */
  readonly open?: number
  readonly label?: string
}

/** JSON as text that can be folded; long text and long lists are cut until somebody wants to see all of it. */
export function JsonView({ value, open = 2, label = 'JSON' }: JsonViewProps) {
  return (
    <ScrollRegion class="code" label={label}>
      <Node value={value} open={open} />
    </ScrollRegion>
  )
}

interface NodeProps {
  readonly value: unknown
  readonly open: number
  readonly name?: string
}

function Node({ value, open, name }: NodeProps) {
  if (value !== null && typeof value === 'object') return <Branch value={value} open={open} name={name} />
  return (
    <div class="json__line">
      <Name name={name} />
      <Leaf value={value} />
    </div>
  )
}

function Name({ name }: { readonly name: string | undefined }) {
  return name === undefined ? null : <span class="json__name">{name}: </span>
}

function Branch({ value, open, name }: NodeProps & { readonly value: object }) {
  const [isOpen, setIsOpen] = useState(open > 0)
  const [shown, setShown] = useState(MAX_MEMBERS)
  const isList = Array.isArray(value)
  const members = Object.entries(value)
  const [start, end] = isList ? ['[', ']'] : ['{', '}']
  if (members.length === 0) {
    return (
      <div class="json__line">
        <Name name={name} />
        {start}
        {end}
      </div>
    )
  }
  return (
    <div>
      <button type="button" class="json__fold" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        <span class="json__arrow" aria-hidden="true" />
        <Name name={name} />
        {start}
        {!isOpen && (
          <span class="faint">
            {' '}
            {members.length} {isList ? 'items' : 'members'} {end}
          </span>
        )}
      </button>
      {isOpen && (
        <div class="json__children">
          {members.slice(0, shown).map(([key, member]) => (
            <Node key={key} value={member} open={open - 1} name={key} />
          ))}
          {members.length > shown && (
            <Button small tone="quiet" onClick={() => setShown(members.length)}>
              Show all {members.length}
            </Button>
          )}
        </div>
      )}
      {isOpen && <div class="json__line">{end}</div>}
    </div>
  )
}

function Leaf({ value }: { readonly value: unknown }) {
  if (typeof value === 'string') return <Text text={JSON.stringify(value)} kind="string" />
  return <span class={`json__${value === null ? 'null' : typeof value}`}>{String(value)}</span>
}

interface TextProps {
  readonly text: string
  readonly kind?: string
}

/** Text that may be long, from wherever it comes: shown as text, cut at first, in its own direction. */
export function Text({ text, kind = 'plain' }: TextProps) {
  const [isWhole, setIsWhole] = useState(false)
  const isLong = text.length > MAX_TEXT
  return (
    <>
      <bdi class={`json__${kind}`}>{isLong && !isWhole ? `${text.slice(0, MAX_TEXT)}…` : text}</bdi>
      {isLong && !isWhole && (
        <Button small tone="quiet" onClick={() => setIsWhole(true)}>
          Show all ({toBytes(text.length)})
        </Button>
      )}
    </>
  )
}
