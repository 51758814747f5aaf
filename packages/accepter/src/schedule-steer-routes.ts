import { formatInstant, PosthasteError, type ShownSchedule } from '@posthaste/core'
import type { FastifyReply } from 'fastify'
import { CHANGE_WAIT_MS } from './cancel-routes.js'
import type { Directives } from './directives.js'
import type { Lookup } from './lookup.js'
import { OPERATIONS } from './operations.js'
import type { Asked, Routes } from './routes.js'
import { scheduleDocument } from './schedule-document.js'

const RUNS = 5

type Steering = Asked<typeof OPERATIONS.pauseSchedule.query, unknown>

/** Has schedules paused, resumed and deleted, and waits until it is known that they are. */
export function addScheduleSteerRoutes(routes: Routes, lookup: Lookup, directives: Directives): void {
  const { view } = lookup
  routes.add(OPERATIONS.pauseSchedule, (asked, reply) => steer(asked, reply, 'pause', 'paused'))
  routes.add(OPERATIONS.resumeSchedule, (asked, reply) => steer(asked, reply, 'resume', 'active'))

  routes.add(OPERATIONS.deleteSchedule, async (asked, reply) => {
    const { id } = await lookup.findSchedule(asked, reply)
    const found = await change(asked, reply, 'cancel', () => endOf(view.schedule(id)))
    if (!found) return reply.code(202).send({ id, state: 'deleting' })
    refuseEnded(found)
    return { id, state: 'deleted' }
  })

  async function steer(asked: Steering, reply: FastifyReply, kind: 'pause' | 'resume', wanted: ShownSchedule['state']) {
    const { id } = await lookup.findSchedule(asked, reply)
    const found = await change(asked, reply, kind, () => settled(view.schedule(id), wanted))
    if (!found) return reply.code(202).send({ id, state: kind === 'pause' ? 'pausing' : 'resuming' })
    refuseEnded(found)
    if (found.state === 'deleted') throw new PosthasteError('already-ended', 'It was deleted.')
    return scheduleDocument(found, asked.nowMs, RUNS)
  }

  /** Asks for a change, unless there is an answer already, and waits for one. */
  async function change<T>(
    { caller: { tenant }, id, query }: Steering,
    reply: FastifyReply,
    kind: 'pause' | 'resume' | 'cancel',
    answer: () => T | undefined,
  ): Promise<T | undefined> {
    // What seems to be so already need not be so: another process may have changed it a moment ago.
    if (answer() !== undefined) await lookup.upTo(performance.now(), reply)
    const draft = answer() === undefined ? directives.draft({ id, tenant }, kind)?.directive : undefined
    const until = () => lookup.until(reply, answer, query.wait ?? CHANGE_WAIT_MS)
    if (!draft) return until()
    await directives.append([draft])
    return directives.upholdUntil(draft, until)
  }
}

/** A schedule that has ended. */
function endOf(shown: ShownSchedule | undefined): ShownSchedule | undefined {
  return shown?.state === 'ended' || shown?.state === 'deleted' ? shown : undefined
}

/** A schedule that is as it is wanted and stays so, or has ended. */
function settled(shown: ShownSchedule | undefined, wanted: ShownSchedule['state']): ShownSchedule | undefined {
  return shown?.state === wanted && shown.directive?.isDone !== false ? shown : endOf(shown)
}

/** @throws PosthasteError `already-ended` */
function refuseEnded({ endedAtMs = 0, state }: ShownSchedule): void {
  if (state === 'ended') throw new PosthasteError('already-ended', `It ended at ${formatInstant(endedAtMs)}.`)
}
