import type { Effects, NewTimer } from '@posthaste/stream'
import type { EmbeddedDelivery } from './embedded-delivery.js'

/** Something that is to be written by the owner of the calls. */
export interface Completion {
  /** What it completes; undefined where somebody acts for a turn that is not in hand. */
  readonly delivery: EmbeddedDelivery | undefined
  readonly effects: Effects
  /** What takes the place of a call that goes on. */
  readonly watchdog: NewTimer | undefined
}

/** One transaction. */
export interface Transaction {
  readonly nowMs: number
  /** What changes in memory once it is on disk. */
  readonly after: (() => void)[]
}

type Kind = 'timers' | 'children' | 'journal' | 'notes' | 'control'

/** All effects of a kind, in the order of the completions. */
export function gather<K extends Kind>(group: readonly Completion[], kind: K) {
  const all: NonNullable<Completion['effects'][K]>[number][] = []
  for (const { effects } of group) {
    const some = effects[kind]
    if (some) for (const one of some) all.push(one)
  }
  return all
}
