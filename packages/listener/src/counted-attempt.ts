import { type Call, type Outcome, originOf } from '@posthaste/core'
import type { Ending } from './effects.js'

/** An attempt that was made, for those who count. */
export interface CountedAttempt {
  readonly origin: string
  /** The class of the status, such as `2xx`, or the code of the error. */
  readonly result: string
  readonly durationMs: number
  /** What followed: the state of the journal entry. */
  readonly state: string
}

export function countedAttempt(call: Call, outcome: Outcome, ending: Ending): CountedAttempt {
  const result = outcome.kind === 'answered' ? `${Math.floor(outcome.response.status / 100)}xx` : outcome.code
  return { origin: originOf(call.target), result, durationMs: outcome.durationMs, state: ending.state }
}
