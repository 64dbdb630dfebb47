import type { AlertState } from '../../db/queries/alert-turns.ts'
import type { AlertRule } from '../alerts/types.ts'
import type { createGauges } from './gauges.ts'

/** Shows which alerts fire; all gateways show the same. */
export function addAlertGauges(
  add: ReturnType<typeof createGauges>,
  { rules, states }: { readonly rules: readonly AlertRule[]; readonly states: () => readonly AlertState[] }
): void {
  add({ name: 'smg_alert_firing', help: '1 while the alert fires', labelNames: ['alert', 'severity'] }, () => {
    const firing = new Set(states().flatMap(({ name, state }) => (state === 'firing' ? [name] : [])))
    return rules.map(({ name, severity }) => [{ alert: name, severity }, Number(firing.has(name))] as const)
  })
}
