import { useState } from 'preact/hooks'
import { explain, postJson } from '../api.ts'
import type { FunctionShape } from '../shapes.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Icon } from '../ui/icon.tsx'
import { toast } from '../ui/toast.tsx'

interface FunctionSwitchProps {
  readonly of: FunctionShape
  readonly onDone: () => Promise<void>
}

/** Holds a function up after a question, or lets it go on. */
export function FunctionSwitch({ of: { topic, state }, onDone }: FunctionSwitchProps) {
  const [isAsking, setIsAsking] = useState(false)
  const [isBusy, setIsBusy] = useState(false)
  const isRunning = state === 'running'

  const press = async () => {
    setIsBusy(true)
    try {
      await postJson(`/api/functions/${encodeURIComponent(topic)}/${isRunning ? 'pause' : 'resume'}`)
      toast(isRunning ? `${topic} is paused` : `${topic} goes on`)
      await onDone()
    } catch (error) {
      toast(explain(error), 'bad')
    } finally {
      setIsBusy(false)
      setIsAsking(false)
    }
  }

  if (!isRunning) {
    return (
      <Button tone="primary" busy={isBusy} onClick={press}>
        <Icon name="play" />
        Resume
      </Button>
    )
  }
  return (
    <>
      <Button busy={isBusy} onClick={() => setIsAsking(true)}>
        <Icon name="pause" />
        Pause
      </Button>
      {isAsking && (
        <Dialog
          title={`Pause ${topic}?`}
          description="Runners stop before its next record. Events are still accepted and wait in Kafka; nothing is lost as long as the topic keeps them."
          onClose={() => setIsAsking(false)}
          actions={
            <>
              <Button onClick={() => setIsAsking(false)}>Cancel</Button>
              <Button tone="primary" busy={isBusy} onClick={press}>
                Pause
              </Button>
            </>
          }
        />
      )}
    </>
  )
}
