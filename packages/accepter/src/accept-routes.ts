import { PosthasteError, parseInstruction } from '@posthaste/core'
import type { NewRecord } from '@posthaste/stream'
import { acceptOnce } from './accept-once.js'
import type { Claims } from './claims.js'
import { idempotencyKeyOf } from './idempotency-key.js'
import { depthOf, type Intake, newCall, receiptOf } from './intake.js'
import { OPERATIONS } from './operations.js'
import { problemOf } from './problem.js'
import type { Routes } from './routes.js'

/** Accepts calls, one or many at once: validates, appends once, answers when the stream has them. */
export function addAcceptRoutes(routes: Routes, intake: Intake, claims: Claims | undefined): void {
  routes.add(OPERATIONS.createInvocation, async ({ body, nowMs, request }, reply) => {
    const key = idempotencyKeyOf(request)
    const call = newCall(body, depthOf(request), nowMs)
    const record = intake.fittingRecordOf(call)
    let accepted = call
    if (key === undefined) await intake.append('calls', [record])
    else accepted = await acceptOnce(claims, key, request.body, record)
    if (accepted.id === call.id) intake.accepted(reply.elapsedTime, 1)
    else reply.header('idempotency-replayed', 'true')
    reply.code(202).header('location', `/invocations/${accepted.id}`)
    return receiptOf(accepted)
  })

  routes.add(OPERATIONS.createInvocations, async ({ body, nowMs, request }, reply) => {
    if (idempotencyKeyOf(request) !== undefined)
      throw new PosthasteError('invalid-key', 'A batch takes no Idempotency-Key: send each instruction by itself.')
    const depth = depthOf(request)
    const results = body.map((input) => examine(input, depth, nowMs))
    const records = results.flatMap(({ record }) => record ?? [])
    await intake.append('calls', records)
    intake.accepted(reply.elapsedTime, records.length)
    return { results: results.map(({ shown }) => shown) }
  })

  /** Looks at an instruction of a batch. What is wrong with it is its own answer. */
  function examine(input: unknown, depth: number, nowMs: number): { shown: object; record?: NewRecord } {
    try {
      const call = newCall(parseInstruction(input, nowMs), depth, nowMs)
      return { record: intake.fittingRecordOf(call), shown: { status: 202, ...receiptOf(call) } }
    } catch (error) {
      if (!(error instanceof PosthasteError)) throw error
      const problem = problemOf(error)
      return { shown: { status: problem.status, problem } }
    }
  }
}
