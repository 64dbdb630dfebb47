import { toCount, toDuration, toMs } from '../format.ts'
import type { FunctionShape } from '../shapes.ts'
import { Definitions } from '../ui/definitions.tsx'
import { Panel } from '../ui/panel.tsx'

const HOUR_S = 3_600

/** The options of a function, its defaults filled in. */
export function FunctionOptions({ of: { options, group } }: { readonly of: FunctionShape }) {
  const { maxAttempts, backoffMs, timeoutMs, maxAgeMs, partitions, retentionHours, ordering, concurrency, mask } =
    options
  return (
    <Panel title="Options">
      <Definitions
        items={[
          ['Group', <code key="group">{group}</code>],
          ['Attempts', toCount(maxAttempts)],
          ['Between attempts', `${toMs(backoffMs.min)} to ${toMs(backoffMs.max)}`],
          ['Time for an attempt', toMs(timeoutMs)],
          ['Greatest age', maxAgeMs === null ? 'none' : toDuration(maxAgeMs / 1000)],
          ['Order', ordering === 'key' ? 'a dead letter holds its key back' : 'a dead letter holds nothing back'],
          ['Keys at once', toCount(concurrency)],
          ['Partitions', toCount(partitions)],
          ['Retention', toDuration(retentionHours * HOUR_S)],
          ['Masked', mask.length === 0 ? 'nothing' : mask.join(', ')]
        ]}
      />
    </Panel>
  )
}
