import { Problem } from '../schemas/problem.ts'
import type { App } from '../types.ts'
import history from './api/alerts/history.ts'
import alerts from './api/alerts.ts'
import audit from './api/audit.ts'
import discard from './api/dead-letters/discard.ts'
import redrive from './api/dead-letters/redrive.ts'
import deadLetters from './api/dead-letters.ts'
import errors from './api/errors.ts'
import pause from './api/functions/pause.ts'
import functions from './api/functions.ts'
import stream from './api/messages/stream.ts'
import messages from './api/messages.ts'
import systemMetrics from './api/metrics.ts'
import notifications from './api/notifications.ts'
import produceBatch from './api/produce/batch.ts'
import produce from './api/produce.ts'
import statsHistory from './api/stats/history.ts'
import stats from './api/stats.ts'
import position from './api/topics/position.ts'
import topics from './api/topics.ts'
import userActivities from './api/user-activities.ts'
import health from './health.ts'
import metrics from './metrics.ts'

const rows = [userActivities, systemMetrics, errors, notifications]

/** Every route; the path of a file is the path of its routes. */
export default async function routes(app: App) {
  app.addSchema(Problem)
  for (const register of [
    health,
    produce,
    produceBatch,
    messages,
    stream,
    ...rows,
    deadLetters,
    redrive,
    discard,
    topics,
    position,
    functions,
    pause,
    audit,
    stats,
    alerts,
    history,
    statsHistory,
    metrics
  ]) {
    await register(app)
  }
}
