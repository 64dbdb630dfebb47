import type { ComponentChildren } from 'preact'

interface DefinitionsProps {
  /** Name and value; a value of undefined leaves it out. */
  readonly items: readonly (readonly [name: string, value: ComponentChildren])[]
}

/** Names and their values, below one another. */
export function Definitions({ items }: DefinitionsProps) {
  return (
    <dl class="definitions">
      {items
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => (
          <div key={name} class="definitions__item">
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

interface StatProps {
  readonly label: string
  readonly value: ComponentChildren
  readonly unit?: string
  readonly note?: ComponentChildren
}

/** One number that matters, large. */
export function Stat({ label, value, unit, note }: StatProps) {
  return (
    <div class="stat">
      <div class="stat__label">{label}</div>
      <div class="stat__value num">
        {value}
        {unit && <span class="stat__unit">{unit}</span>}
      </div>
      {note && <div class="small faint">{note}</div>}
    </div>
  )
}
