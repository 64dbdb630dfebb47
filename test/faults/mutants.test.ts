import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { catalogue } from './catalogue/index.ts'
import { mutants } from './mutants.ts'

const ROOT = join(import.meta.dirname, '..', '..')

t.test('has every mutant of the contract', async t => {
  const numbers = [...new Set(mutants.map(({ number }) => number))]
  t.strictSame(
    numbers,
    Array.from({ length: 26 }, (_, index) => index + 1)
  )
})

for (const { number, variant = '', title, patches, scenario } of mutants) {
  t.test(`${number} ${variant}: ${title}`, async t => {
    for (const { file, find } of patches) {
      const places = readFileSync(join(ROOT, file), 'utf8').split(find).length - 1
      t.equal(places, 1, `${file}: ${find.slice(0, 60)}`)
    }
    if ('test' in scenario) t.ok(existsSync(join(ROOT, scenario.test)), scenario.test)
    else
      for (const fault of scenario.faults)
        t.ok(
          catalogue.some(({ name }) => name === fault),
          fault
        )
  })
}
