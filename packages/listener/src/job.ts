import type { Call, DecodedCall } from '@posthaste/core'
import type { Delivery, NewTimer } from '@posthaste/stream'
import { timerOf } from './effects.js'

/** A call in the hands of the dispatcher. */
export interface Job extends DecodedCall {
  readonly delivery: Delivery
}

export function jobOf(delivery: Delivery, { call, settled }: DecodedCall): Job {
  return { call, delivery, settled }
}

/** The same attempt of the same call, at another time. */
export function timerFor({ call, delivery, settled }: Job, dueMs: number): NewTimer {
  return timerOf(call, dueMs, settled ? delivery.record.value : undefined)
}

/** Whether two records are of the same attempt. */
export function isSameTurn(one: Call, other: Call): boolean {
  return one.id === other.id && one.generation === other.generation && one.attempt === other.attempt
}
