import { useMemo, useState } from 'preact/hooks'
import { toPath, toRange } from '../list-query.ts'
import { useRoute } from '../router.ts'
import { Button } from '../ui/button.tsx'
import { Filters } from '../ui/filters.tsx'
import { Icon } from '../ui/icon.tsx'
import { Page } from '../ui/page.tsx'
import { type BulkFilter, BulkRedrive } from './dead-letters-bulk.tsx'
import { DeadLetterFilters, toChoice } from './dead-letters-filters.tsx'
import { DeadLetterGroups } from './dead-letters-groups.tsx'
import { DeadLetterList } from './dead-letters-list.tsx'

/** `#/dead-letters`: what could not be settled, by reason and one by one. */
export function DeadLettersPage() {
  const { query } = useRoute()
  const choice = toChoice(query)
  // A span begins when it is chosen: it does not move under what is listed.
  const range = useMemo(() => toRange(query, Date.now()), [query.toString()])
  const [bulk, setBulk] = useState<BulkFilter | null>(null)
  // Counts how often something was redriven here: what is listed is asked again then.
  const [changes, setChanges] = useState(0)
  const { topic, stage, disposition, error, state } = choice
  const filter: BulkFilter = { topic, stage, disposition, error, ...range }

  return (
    <Page
      title="Dead letters"
      description="Records that a function could not settle, kept whole with the reason"
      actions={
        <Button onClick={() => setBulk(filter)}>
          <Icon name="rewind" />
          Redrive many…
        </Button>
      }
    >
      <Filters isFiltered={query.size > 0}>
        <DeadLetterFilters query={query} />
      </Filters>
      <DeadLetterGroups
        key={`groups-${changes}`}
        path={toPath('/api/dead-letters/groups', { topic, stage, state, ...range, limit: 100 })}
        choice={choice}
        query={query}
        onRedrive={group => setBulk({ ...range, ...group })}
      />
      <DeadLetterList
        key={`list-${changes}`}
        path={toPath('/api/dead-letters', {
          ...filter,
          state,
          cursor: query.get('cursor'),
          limit: 50
        })}
        query={query}
      />
      {bulk && (
        <BulkRedrive
          filter={bulk}
          onClose={isChanged => {
            setBulk(null)
            if (isChanged) setChanges(changes + 1)
          }}
        />
      )}
    </Page>
  )
}
