import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { readMemoryFigures } from '../../bench/memory.ts'

t.test('sums the memory of a process and its descendants up', async t => {
  const alone = readMemoryFigures({ self: process.pid })
  const child = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 1000)'])
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')

  const both = readMemoryFigures({ self: process.pid, child: child.pid ?? 0 })

  t.ok((both['RSS MB child'] ?? 0) > 10, 'a Node of its own')
  t.ok((both['RSS MB self'] ?? 0) > (alone['RSS MB self'] ?? 0) + 10, 'the child is one of its descendants')
  t.equal(both['RSS MB all'], (both['RSS MB self'] ?? 0) + (both['RSS MB child'] ?? 0))
})

t.test('counts nothing for a process that is gone', async t => {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')

  t.match(readMemoryFigures({ gone: child.pid ?? 0 }), { 'RSS MB gone': 0, 'RSS MB all': 0 })
})
