import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

interface FieldProps {
  readonly label: string
  readonly hint?: ComponentChildren
  readonly error?: string | null
  /** Shown to screen readers only: where the place says what it is. */
  readonly hideLabel?: boolean
  readonly required?: boolean
  /** Gets the ids that tie the control to its label, hint and error. */
  readonly children: (control: ControlProps) => ComponentChildren
}

interface ControlProps {
  readonly id: string
  readonly 'aria-describedby': string | undefined
  readonly 'aria-invalid': boolean | undefined
}

/** A control with its label, hint and error. */
export function Field({ label, hint, error, hideLabel = false, required = false, children }: FieldProps) {
  const id = useId()
  const noteId = hint || error ? `${id}-note` : undefined
  return (
    <div class={`field ${error ? 'field--bad' : ''}`}>
      <label for={id} class={hideLabel ? 'hidden-text' : 'field__label'}>
        {label}
        {required && <span class="field__required"> required</span>}
      </label>
      {children({ id, 'aria-describedby': noteId, 'aria-invalid': error ? true : undefined })}
      {noteId && (
        <p id={noteId} class={`field__note ${error ? 'field__note--bad' : ''}`}>
          {error || hint}
        </p>
      )}
    </div>
  )
}

interface TextInputProps extends Partial<ControlProps> {
  readonly value: string
  readonly onInput: (value: string) => void
  readonly type?: 'text' | 'password' | 'number' | 'search' | 'datetime-local'
  readonly placeholder?: string
  readonly mono?: boolean
  readonly disabled?: boolean
  readonly required?: boolean
  readonly list?: string
  /** Several lines: a text area of as many. */
  readonly rows?: number
}

export function TextInput({ value, onInput, mono = false, rows, type = 'text', ...rest }: TextInputProps) {
  const common = {
    ...rest,
    value,
    class: `input ${mono ? 'mono' : ''}`,
    autocomplete: 'off',
    spellcheck: false,
    onInput: (event: Event) => onInput((event.currentTarget as HTMLInputElement).value)
  }
  if (rows !== undefined) return <textarea {...common} rows={rows} />
  // Preact's types want to know which roles the type allows; no role is set here.
  return <input {...common} type={type as 'text'} />
}

interface SelectProps extends Partial<ControlProps> {
  readonly value: string
  readonly onChange: (value: string) => void
  /** Value and words of each, or words that are the value too. */
  readonly options: readonly (string | { readonly value: string; readonly label: string })[]
  readonly disabled?: boolean
}

export function Select({ value, onChange, options, ...rest }: SelectProps) {
  return (
    <select {...rest} class="input input--select" value={value} onChange={event => onChange(event.currentTarget.value)}>
      {options.map(option => {
        const { value: own, label } = typeof option === 'string' ? { value: option, label: option } : option
        return (
          <option key={own} value={own}>
            {label}
          </option>
        )
      })}
    </select>
  )
}

interface CheckboxProps {
  readonly label: ComponentChildren
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
  readonly disabled?: boolean
  readonly hideLabel?: boolean
}

export function Checkbox({ label, checked, onChange, disabled = false, hideLabel = false }: CheckboxProps) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={event => onChange(event.currentTarget.checked)}
      />
      <span class={hideLabel ? 'hidden-text' : ''}>{label}</span>
    </label>
  )
}

interface SearchBarProps {
  readonly label: string
  /** Fields and buttons in one line, below one another where it is narrow. */
  readonly children: ComponentChildren
  readonly onSubmit?: () => void
}

/** The filters of a list. */
export function SearchBar({ label, children, onSubmit }: SearchBarProps) {
  return (
    <search>
      <form
        class="search-bar"
        aria-label={label}
        onSubmit={event => {
          event.preventDefault()
          onSubmit?.()
        }}
      >
        {children}
      </form>
    </search>
  )
}
