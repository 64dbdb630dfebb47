import { useEffect, useRef } from 'preact/hooks'
import { AlertsPage } from './pages/alerts.tsx'
import { AuditPage } from './pages/audit.tsx'
import { DeadLetterPage } from './pages/dead-letter.tsx'
import { DeadLettersPage } from './pages/dead-letters.tsx'
import { FunctionPage } from './pages/function.tsx'
import { MessagePage } from './pages/message.tsx'
import { MessagesPage } from './pages/messages.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { ProducePage } from './pages/produce.tsx'
import { TopicPage } from './pages/topic.tsx'
import { TopicsPage } from './pages/topics.tsx'
import type { Route } from './route.ts'
import { Link, useRoute } from './router.ts'
import { Shell } from './shell/shell.tsx'
import { SignIn } from './shell/sign-in.tsx'
import { Empty } from './ui/notice.tsx'
import { Page } from './ui/page.tsx'
import { Toasts } from './ui/toast.tsx'

/** The console: its frame, and the page that the fragment names. */
export function App() {
  const route = useRoute()
  const main = useRef<HTMLElement>(null)
  const isFirst = useRef(true)

  // A new page begins at its top, and with its heading for who cannot see it; the first one has the browser's focus.
  useEffect(() => {
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true })
      scrollTo(0, 0)
    }
    isFirst.current = false
  }, [route.path])

  return (
    <Shell section={route.segments[0] ?? ''} main={main}>
      <PageOf key={route.path} route={route} />
      <SignIn />
      <Toasts />
    </Shell>
  )
}

function PageOf({ route: { segments } }: { readonly route: Route }) {
  const [section = '', name] = segments
  if (segments.length > 2) return <NoPage />
  if (name === undefined) {
    if (section === '') return <OverviewPage />
    if (section === 'topics' || section === 'functions') return <TopicsPage />
    if (section === 'messages') return <MessagesPage />
    if (section === 'dead-letters') return <DeadLettersPage />
    if (section === 'produce') return <ProducePage topic={null} />
    if (section === 'alerts') return <AlertsPage />
    return section === 'audit' ? <AuditPage /> : <NoPage />
  }
  if (section === 'topics') return <TopicPage topic={name} />
  if (section === 'functions') return <FunctionPage topic={name} />
  if (section === 'messages') return <MessagePage id={name} />
  if (section === 'dead-letters') return <DeadLetterPage id={name} />
  return section === 'produce' ? <ProducePage topic={name} /> : <NoPage />
}

function NoPage() {
  return (
    <Page title="No such page">
      <Empty title="There is nothing at this address" actions={<Link to="#/">Go to the overview</Link>} />
    </Page>
  )
}
