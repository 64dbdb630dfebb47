import pino from 'pino'
import { readDatabaseUrl } from './config.ts'
import { migrate } from './migrate.ts'

const log = pino({ name: 'migrate' })

try {
  const { applied, ms } = await migrate(readDatabaseUrl(process.env))
  log.info({ applied, ms }, applied === 0 ? 'the tables are up to date' : 'the tables were brought up to date')
} catch (error) {
  const isSetting = (error as { code?: unknown }).code === 'SMG_DB_BAD_SETTING'
  log.fatal(isSetting ? {} : { err: error }, (error as Error).message)
  process.exit(isSetting ? 2 : 1)
}
