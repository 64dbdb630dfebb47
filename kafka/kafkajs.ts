import { createRequire } from 'node:module'
import { applyPatches } from './patches.ts'

type KafkaJs = typeof import('kafkajs')

const require = createRequire(import.meta.url)
let loaded: KafkaJs | undefined

/** Whether the patches of this room are put on KafkaJS. The first load of a process decides. */
export type Patches = 'on' | 'off'

/** Loads KafkaJS, patched unless told otherwise. Later calls give the same library. */
export function loadKafkaJs(patches: Patches = 'on'): KafkaJs {
  if (!loaded) {
    if (patches === 'on') applyPatches(require)
    loaded = require('kafkajs') as KafkaJs
  }
  return loaded
}
