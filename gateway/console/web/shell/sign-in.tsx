import { useState } from 'preact/hooks'
import { wakePolls } from '../api.ts'
import { dismissToken, isTokenWanted, writeToken } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field, TextInput } from '../ui/field.tsx'
import { Icon } from '../ui/icon.tsx'
import { useSession } from '../use-session.ts'

/** Asks for a token when the gateway wants one. It stays in this tab, and is in no address. */
export function SignIn() {
  const token = useSession()
  return isTokenWanted() ? <SignInDialog hadToken={token !== null} /> : null
}

function SignInDialog({ hadToken }: { readonly hadToken: boolean }) {
  const [token, setToken] = useState('')

  const submit = (event: Event) => {
    event.preventDefault()
    const given = token.trim().replace(/^bearer\s+/i, '')
    if (given === '') return
    writeToken(given)
    wakePolls()
  }

  return (
    <Dialog
      title={hadToken ? 'Your token is not accepted' : 'Sign in'}
      description="This gateway asks for a token: a JWT with the scope read, and operate for whatever changes something."
      onClose={dismissToken}
    >
      <form class="stack" onSubmit={submit}>
        <Field label="Token" hint="Kept in this tab until you close it.">
          {control => <TextInput {...control} type="password" value={token} onInput={setToken} mono />}
        </Field>
        <div class="row">
          <Button type="submit" tone="primary" disabled={token.trim() === ''}>
            Sign in
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** Forgets the token; nothing where there is none. */
export function SignOut() {
  if (useSession() === null) return null
  return (
    <button
      type="button"
      class="nav__link"
      onClick={() => {
        writeToken(null)
        location.reload()
      }}
    >
      <Icon name="key" />
      <span class="nav__label">Sign out</span>
    </button>
  )
}
