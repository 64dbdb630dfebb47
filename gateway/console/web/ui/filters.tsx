import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { Button, LinkButton } from './button.tsx'
import { Icon } from './icon.tsx'
import { Panel } from './panel.tsx'

interface FiltersProps {
  /** Whether some are set, so that who does not see them knows. */
  readonly isFiltered: boolean
  readonly children: ComponentChildren
}

/** The filters of a list; where it is narrow they are folded until somebody wants them. */
export function Filters({ isFiltered, children }: FiltersProps) {
  const [isOpen, setIsOpen] = useState(false)
  return (
    <Panel flush class={`filters ${isOpen ? 'filters--open' : ''}`}>
      <div class="filters__fold">
        <Button tone="quiet" expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
          <Icon name="search" />
          {isFiltered ? 'Filters are set' : 'Filter'}
        </Button>
      </div>
      {children}
    </Panel>
  )
}

interface SearchButtonsProps {
  /** The list without filters. */
  readonly clearTo: string
  readonly isFiltered: boolean
}

/** The end of a bar of filters. */
export function SearchButtons({ clearTo, isFiltered }: SearchButtonsProps) {
  return (
    <div class="row">
      <Button type="submit" tone="primary">
        Search
      </Button>
      {isFiltered && (
        <LinkButton to={clearTo} tone="quiet">
          Clear
        </LinkButton>
      )}
    </div>
  )
}
