import t from 'tap'
import { findEditFault, toEditable, toRedriveBody } from '../../../../gateway/console/web/edited-value.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')

t.test('begins with what can be edited best', async t => {
  const cases = [
    { when: 'JSON', value: { a: 1 }, valueBase64: base64('{"a":1}'), mode: 'json', text: '{\n  "a": 1\n}' },
    { when: 'a text that is no JSON', value: '{"a":', valueBase64: base64('{"a":'), mode: 'json', text: '{"a":' },
    { when: 'bytes', value: null, valueBase64: '/wA=', mode: 'base64', text: '/wA=' },
    { when: 'no value', value: null, valueBase64: null, mode: 'base64', text: '' },
    { when: 'empty', value: '', valueBase64: '', mode: 'json', text: '' }
  ]

  for (const { when, value, valueBase64, ...editable } of cases)
    t.strictSame(toEditable({ value, valueBase64 }), { ...editable, rows: 6 }, when)

  const value = Array.from({ length: 100 }, () => 1)
  t.equal(toEditable({ value, valueBase64: base64(JSON.stringify(value)) }).rows, 25, 'what is long scrolls')
})

t.test('sends what stands there, as what it is said to be', async t => {
  t.strictSame(toRedriveBody('json', '[1]'), { value: [1] })
  t.strictSame(toRedriveBody('json', 'null'), { value: null })
  t.strictSame(toRedriveBody('text', '€'), { valueBase64: '4oKs' })
  t.strictSame(toRedriveBody('base64', ' /wA=\n'), { valueBase64: '/wA=' })
})

t.test('finds what cannot be sent', async t => {
  t.match(findEditFault('json', '{'), /JSON/)
  t.match(findEditFault('json', ''), /JSON/)
  t.match(findEditFault('base64', '!'), /base64/)
  t.equal(findEditFault('json', '1'), null)
  t.equal(findEditFault('text', ''), null)
  t.equal(findEditFault('base64', ''), null)
})
