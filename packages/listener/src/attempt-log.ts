import { type Call, type Log, type Outcome, originOf, pathOf } from '@posthaste/core'
import type { Ending } from './effects.js'

/** One wide line for each attempt: what was called and what came of it, but no header, body or query. */
export class AttemptLog {
  readonly #log: Log
  readonly #which: 'failed' | 'all'

  constructor(log: Log, which: 'failed' | 'all') {
    this.#log = log
    this.#which = which
  }

  write(call: Call, outcome: Outcome, ending: Ending): void {
    const ok = ending.state === 'succeeded'
    if (ok && this.#which === 'failed') return
    const fields = {
      id: call.id,
      generation: call.generation,
      attempt: call.attempt,
      correlationId: call.correlationId,
      method: call.method,
      target: originOf(call.target) + pathOf(call.target).split('?', 1)[0],
      state: ending.state,
      status: outcome.kind === 'answered' ? outcome.response.status : undefined,
      code: ending.failure?.code,
      detail: ending.failure?.detail,
      durationMs: Math.round(outcome.durationMs * 1000) / 1000,
    }
    if (ok) this.#log.info(fields, 'attempt succeeded')
    else if (ending.state === 'cancelled') this.#log.info(fields, 'attempt cancelled')
    else this.#log.warn(fields, 'attempt failed')
  }
}
