import { useState } from 'preact/hooks'
import { explain, postJson } from '../api.ts'
import { toCount } from '../format.ts'
import { type PositionTo, type Target, type TargetInput, toPositionTo } from '../position-request.ts'
import type { PositionMove, Topic } from '../shapes.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Notice } from '../ui/notice.tsx'
import { toast } from '../ui/toast.tsx'
import { PositionPreview } from './position-preview.tsx'
import { PositionTarget } from './position-target.tsx'

interface PositionDialogProps {
  readonly topic: string
  /** Its partitions, when they are known. */
  readonly reading: Topic | undefined
  readonly onClose: () => void
}

interface Preview {
  /** What was chosen when it was asked for. */
  readonly of: TargetInput
  readonly to: PositionTo
  readonly move: PositionMove
}

/** Moves a function's position: first the target, then what that would mean, then the deed. */
export function PositionDialog({ topic, reading, onClose }: PositionDialogProps) {
  const [input, setInput] = useState<TargetInput>({ target: 'earliest' satisfies Target, time: '', offsets: {} })
  const [answer, setAnswer] = useState<Preview | null>(null)
  const [error, setError] = useState<string | null>(null)
  const [isBusy, setIsBusy] = useState(false)
  const to = toPositionTo(input)
  // What is shown, and moved, is what is chosen now: the answer for another choice does not count, however late it comes.
  const preview = answer?.of === input ? answer : null

  const ask = async (wanted: PositionTo, dryRun: boolean) => {
    setIsBusy(true)
    setError(null)
    try {
      const body = { to: wanted, dryRun }
      const move = await postJson<PositionMove>(`/api/topics/${encodeURIComponent(topic)}/position`, body)
      if (dryRun) return setAnswer({ of: input, to: wanted, move })
      toast(`The position of ${topic} is moved in ${toCount(move.partitions.length)} partitions`)
      onClose()
    } catch (thrown) {
      setError(explain(thrown))
    } finally {
      setIsBusy(false)
    }
  }

  return (
    <Dialog
      title={`Move the position of ${topic}`}
      description="The position is what the function handles next. Events that are settled already get no second effect."
      wide
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          {preview ? (
            <Button tone="primary" busy={isBusy} onClick={() => ask(preview.to, false)}>
              Move position
            </Button>
          ) : (
            <Button tone="primary" busy={isBusy} disabled={to === null} onClick={() => to !== null && ask(to, true)}>
              Preview
            </Button>
          )}
        </>
      }
    >
      <PositionTarget input={input} partitions={reading?.partitions ?? []} disabled={isBusy} onChange={setInput} />
      {error && (
        <Notice tone="bad" title="That did not work">
          {error}
        </Notice>
      )}
      {preview && <PositionPreview move={preview.move} />}
    </Dialog>
  )
}
