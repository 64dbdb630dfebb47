import type { ComponentChildren, RefObject } from 'preact'
import { usePoll } from '../api.ts'
import { Link } from '../router.ts'
import type { AlertList } from '../shapes.ts'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Health } from './health.tsx'
import { SignOut } from './sign-in.tsx'

interface Place {
  readonly section: string
  readonly label: string
  /** Where there is little room. */
  readonly short?: string
  readonly icon: IconName
}

const places: readonly Place[] = [
  { section: '', label: 'Overview', icon: 'overview' },
  { section: 'topics', label: 'Topics', icon: 'topics' },
  { section: 'messages', label: 'Messages', icon: 'messages' },
  { section: 'dead-letters', label: 'Dead letters', short: 'Dead', icon: 'deadLetters' },
  { section: 'produce', label: 'Produce', icon: 'produce' },
  { section: 'alerts', label: 'Alerts', icon: 'alerts' },
  { section: 'audit', label: 'Audit', icon: 'audit' }
]

interface ShellProps {
  /** The first segment of where the console is. */
  readonly section: string
  readonly main: RefObject<HTMLElement | null>
  readonly children: ComponentChildren
}

/** What is around every page: the name, the ways to the pages, and how the system is. */
export function Shell({ section, main, children }: ShellProps) {
  const current = section === 'functions' ? 'topics' : section
  return (
    <div class="shell">
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="bar">
        <Link to="#/" class="brand">
          <svg class="brand__mark" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
            <rect width="20" height="20" rx="5" />
            <path d="M5 6.5h6M5 10h10M5 13.5h4" />
          </svg>
          SMG Kafka
        </Link>
        <Health />
      </header>
      <nav class="nav" aria-label="Pages">
        <ul class="nav__list">
          {places.map(place => (
            <li key={place.section}>
              <Link to={`#/${place.section}`} class="nav__link" current={place.section === current}>
                <Icon name={place.icon} />
                <span class="nav__label">{place.label}</span>
                <span class="nav__short" aria-hidden="true">
                  {place.short ?? place.label}
                </span>
                {place.section === 'alerts' && <Firing />}
              </Link>
            </li>
          ))}
        </ul>
        <div class="nav__foot">
          <a class="nav__link" href="/docs">
            <Icon name="docs" />
            <span class="nav__label">API reference</span>
          </a>
          <SignOut />
        </div>
      </nav>
      <main ref={main} class="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  )
}

function Firing() {
  const { data, staleSince } = usePoll<AlertList>('/api/alerts', 5_000)
  const firing = data?.items.filter(({ state }) => state === 'firing') ?? []
  if (firing.length === 0) return null
  const isStale = staleSince !== null
  const tone = isStale ? 'stale' : firing.some(({ severity }) => severity === 'critical') ? 'bad' : 'warn'
  return (
    <span class={`nav__count nav__count--${tone}`}>
      {firing.length}
      <span class="hidden-text"> firing{isStale && ' (last known)'}</span>
    </span>
  )
}
