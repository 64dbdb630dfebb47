import { Registry } from 'prom-client'
import t from 'tap'
import type { AlertState } from '../../../db/queries/alert-turns.ts'
import { alertRules } from '../../../gateway/alerts/rules.ts'
import { addAlertGauges } from '../../../gateway/metrics/alert-gauges.ts'
import { createGauges } from '../../../gateway/metrics/gauges.ts'

t.test('shows each alert, 1 while one of its subjects fires', async t => {
  const [lag, broker] = alertRules
  const state = { value: 1, sinceMs: 1, episodeMs: null }
  let states: AlertState[] = [
    { ...state, name: String(lag?.name), subject: 'a', state: 'ok' },
    { ...state, name: String(lag?.name), subject: 'b', state: 'firing' },
    { ...state, name: String(broker?.name), subject: null, state: 'pending' }
  ]
  const registry = new Registry()
  addAlertGauges(createGauges(registry), { rules: alertRules, states: () => states })
  const firing = async () =>
    [...(await registry.metrics()).matchAll(/^smg_alert_firing\{alert="(\w+)",severity="\w+"\} (\d)$/gm)].map(
      ([, name, value]) => [name, Number(value)]
    )

  t.strictSame(
    await firing(),
    alertRules.map(({ name }) => [name, name === lag?.name ? 1 : 0])
  )
  states = []
  t.ok((await firing()).every(([, value]) => value === 0))
})
