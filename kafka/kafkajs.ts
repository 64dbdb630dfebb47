import { createRequire } from 'node:module'
import { listHeaders } from './list-headers.ts'
import { applyPatches } from './patches.ts'

type KafkaJs = typeof import('kafkajs')

const require = createRequire(import.meta.url)
let loaded: KafkaJs | undefined
let isListing = false

/** Whether the patches of this room are put on KafkaJS. The first load of a process decides. */
export type Patches = 'on' | 'off'

/** Loads KafkaJS, patched unless told otherwise. Later calls give the same library. */
export function loadKafkaJs(patches: Patches = 'on'): KafkaJs {
  if (!loaded) {
    if (patches === 'on') applyPatches(require)
    // Not for speed, as the others are: without it a dead letter's headers cannot be copied as they are.
    isListing = listHeaders(require)
    loaded = require('kafkajs') as KafkaJs
  }
  return loaded
}

/** Whether the library that was loaded writes lists of headers. */
export function canListHeaders(): boolean {
  return isListing
}
