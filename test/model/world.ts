import type { Clock, JournalEntry } from '@posthaste/core'
import type { Control } from '../harness/control.js'
import type { Defaults } from './child.js'
import type { Model } from './model.js'
import type { ModelTarget } from './model-target.js'

/** An attempt that was put off, and to when. */
export interface Aside {
  readonly generation: number
  readonly attempt: number
  readonly dueMs: number
}

/** The system under test, and the time in it. */
export interface World {
  readonly clock: Clock
  readonly target: ModelTarget
  /** Whether nothing but the test moves the clock: then all times are known to the millisecond. */
  readonly isExact: boolean
  /** What is due within so many milliseconds is waited for: with a clock that the test moves, nothing. */
  readonly soonMs: number
  /** How long all that is due may take to come to rest. */
  readonly settleMs: number
  readonly hasListener: boolean
  /** What holds for an instruction that says nothing else. */
  readonly defaults: Defaults
  /** How many of the accepters have a view of their own. */
  readonly views: number
  /** The API of one of the two accepters. */
  door(number: number): Control
  /** What the listener has put off last of an invocation, with no attempt used; undefined where nobody tells. */
  aside(id: string): Aside | undefined
  /** Moves the clock. */
  pass(ms: number): void
  /** Has what waits for its time, of which the first is due after `ms`, come to it. */
  hasten(model: Model, ms: number): Promise<void>
  startListener(): Promise<void>
  /** What runs is given up. */
  stopListener(): Promise<void>
  restartAccepter(number: number): Promise<void>
  /** While there is no listener. */
  restartAll(): Promise<void>
  /** All that was recorded, in order. */
  journal(): Promise<JournalEntry[]>
  stop(): Promise<void>
}
