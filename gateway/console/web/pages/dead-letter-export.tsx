import { getJson } from '../api.ts'
import { Button } from '../ui/button.tsx'
import { toast } from '../ui/toast.tsx'
import { useAction } from '../use-action.ts'

/** Saves a dead letter as a file. Not by a link: that would come without the token. */
export function ExportButton({ id }: { readonly id: string }) {
  const action = useAction()
  const save = async () => {
    const file = await action.run(() => getJson<object>(`/api/dead-letters/${id}/export`))
    if (file) saveAs(`dead-letter-${id}.json`, JSON.stringify(file, null, 2))
    else toast('The file could not be made', 'bad')
  }
  return (
    <Button busy={action.isBusy} onClick={save}>
      Export
    </Button>
  )
}

function saveAs(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
