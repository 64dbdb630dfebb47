import type { Cut } from './cut-build.ts'

/** Everything that counts or times for `/metrics` and for the last minute in `/api/stats`, in gateway and runner. */
export const METRICS_CUTS: readonly Cut[] = [
  { file: 'sdk/series.js', find: 'one.added += value;', replace: 'void value;' },
  { file: 'sdk/series.js', find: 'let index = 0;', replace: 'return;\n            let index = 0;' },
  {
    file: 'gateway/plugins/metrics.js',
    find: "app.addHook('onResponse', (request, reply, done) => {",
    replace: "app.addHook('onResponse', (request, reply, done) => {\n        return done();"
  },
  {
    file: 'runner/time-handle.js',
    find: 'if (!handle)\n        return definition;',
    replace: 'return definition;'
  },
  {
    file: 'runner/metrics.js',
    find: "import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';",
    replace: `import * as client from 'prom-client';
const { collectDefaultMetrics, Registry } = client;
class Counter extends client.Counter { inc() { } }
class Gauge extends client.Gauge { set() { } }
class Histogram extends client.Histogram { observe() { } }`
  }
]
