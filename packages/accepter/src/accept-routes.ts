import { PosthasteError, parseInstruction } from '@posthaste/core'
import type { NewRecord } from '@posthaste/stream'
import type { Acceptance } from './acceptance.js'
import type { AccepterOptions } from './accepter-options.js'
import { idempotencyKeyOf, samenessOf } from './idempotency-key.js'
import { type CallOrigin, depthOf, type Intake, receiptOf } from './intake.js'
import { type OpenLimit, tooManyOpen } from './open-limit.js'
import { OPERATIONS } from './operations.js'
import { problemOf } from './problem.js'
import { rateLimited } from './request-rates.js'
import type { Routes } from './routes.js'

/** Accepts calls, one or many at once: validates, appends once, answers when the stream has them. */
export function addAcceptRoutes(
  routes: Routes,
  intake: Intake,
  acceptance: Acceptance,
  openLimit: OpenLimit,
  onRefused: AccepterOptions['onRefused'],
): void {
  routes.add(OPERATIONS.createInvocation, async ({ body, caller, nowMs, request }, reply) => {
    const sameness = samenessOf(request)
    const origin = { caller, depth: depthOf(request), nowMs }
    const { call, isNew } = await acceptance.accept(body, origin, () => reply.elapsedTime, sameness)
    if (!isNew) reply.header('idempotency-replayed', 'true')
    reply.code(202).header('location', `/invocations/${call.id}`)
    return receiptOf(call)
  })

  routes.add(OPERATIONS.createInvocations, async ({ body, caller, countMore, nowMs, request }, reply) => {
    if (idempotencyKeyOf(request) !== undefined)
      throw new PosthasteError('invalid-key', 'A batch takes no Idempotency-Key: send each instruction by itself.')
    const origin = { caller, depth: depthOf(request), nowMs }
    const records: NewRecord[] = []
    const room = openLimit.roomOf(caller)
    // The request itself counts for the first.
    const counted = 1 + countMore(body.length - 1)
    const results = body.map((input, index) => {
      if (index >= counted) return refusal(rateLimited(caller))
      const { record, shown } = examine(input, origin, records.length < room)
      if (record) records.push(record)
      return shown
    })
    await openLimit.opening(caller, records.length, () => intake.append('calls', records))
    intake.accepted(reply.elapsedTime, records.length)
    return { results }
  })

  /** Looks at an instruction of a batch. What is wrong with it is its own answer. */
  function examine(input: unknown, origin: CallOrigin, hasRoom: boolean): { shown: object; record?: NewRecord } {
    try {
      const call = intake.newCall(parseInstruction(input, origin.nowMs), origin)
      const record = intake.fittingRecordOf(call)
      if (!hasRoom) throw tooManyOpen(origin.caller)
      return { record, shown: { status: 202, ...receiptOf(call) } }
    } catch (error) {
      if (!(error instanceof PosthasteError)) throw error
      return { shown: refusal(error) }
    }
  }

  function refusal(error: PosthasteError): object {
    onRefused?.(error.code)
    const problem = problemOf(error)
    return { status: problem.status, problem }
  }
}
