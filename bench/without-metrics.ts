import type { Cut } from './cut-build.ts'

/**
 * What is taken out of gateway and runner. Of the gateway: the measures of a request, of an event, of a send and of a query,
 * with looking their series up, and the last minute of requests and queries in `/api/stats`. Of the runner: the time of each
 * handler and cycle, all counters, gauges and histograms. Of both: what prom-client knows of a process. What stays is what
 * the alerts count, what the sampler reads of Kafka and PostgreSQL, and that a send and a query are timed for others.
 */
export const METRICS_CUTS: readonly Cut[] = [
  toStart('onSent(topic, error) {'),
  toStart('onSend({ records, bytes, durationMs, failure }) {'),
  toStart('onQuery({ name, durationMs, isAway }) {'),
  { file: 'gateway/metrics/measures.js', find: 'collectDefaultMetrics({ register: registry });', replace: '' },
  {
    file: 'gateway/plugins/metrics.js',
    find: "app.addHook('onResponse', (request, reply, done) => {",
    replace: 'void ((request, reply, done) => {'
  },
  {
    file: 'gateway/guard-queries.js',
    find: 'options.latency.record({ atMs: options.now(), durationMs, isError: false });',
    replace: ''
  },
  {
    file: 'runner/time-handle.js',
    find: 'if (!handle)\n        return definition;',
    replace: 'return definition;'
  },
  { file: 'runner/metrics.js', find: 'collectDefaultMetrics({ register: registry });', replace: '' },
  // Fields, not methods: prom-client's constructors put methods of their own on each counter and histogram.
  {
    file: 'runner/metrics.js',
    find: "import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';",
    replace: `import * as client from 'prom-client';
const { Registry } = client;
class Counter extends client.Counter { inc = () => undefined; }
class Gauge extends client.Gauge { set = () => undefined; }
class Histogram extends client.Histogram { observe = () => undefined; startTimer = () => () => 0; }`
  }
]

/** Names of what is cut begin so. */
const CUT = [
  ...['process_', 'nodejs_', 'http_server_', 'messaging_', 'db_client_operation_', 'smg_producer_send_'],
  ...['smg_records_settled_', 'smg_messages_total', 'smg_rows_', 'smg_cycle_']
]

/** Gives the first thing that `/metrics` of a part says to have measured and that was cut; null when it is all gone. */
export async function findCounted(url: string): Promise<string | null> {
  const response = await fetch(`${url}/metrics`)
  return response.ok ? findCountedIn(await response.text()) : `/metrics was answered with ${response.status}`
}

/** The same, of the text that a part gives. */
export function findCountedIn(text: string): string | null {
  const lines = text.split('\n').filter(line => CUT.some(name => line.startsWith(name)))
  const counted = lines.find(line => Number(line.split(' ').at(-1)) !== 0)
  return counted === undefined ? null : `measured without metrics: ${counted}`
}

/** Lets a measure return before it looks anything up. */
function toStart(find: string): Cut {
  return { file: 'gateway/metrics/measures.js', find, replace: `${find}\n            return;` }
}
