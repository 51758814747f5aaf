import type { Call } from './call.js'
import { deriveId } from './ids.js'
import { formatInstant } from './instant.js'
import { lastTimeMs, nextTimeMs, type Timing } from './schedule-times.js'

/**
 * A recurring schedule: a chain of records on `calls`, its ticks, under one id. Each tick is an attempt of that id: it does
 * what is due by then and gives rise to the next one, in the way that an attempt gives rise to a retry. So a schedule is as
 * durable as any call, and each of its times is called once, whoever has the tick in hand. To pause it, or to have it go on,
 * starts the next generation of the id: whatever comes of the last one is of no use any more.
 *
 * A tick carries all that is known of its schedule, and looks at the clock for the rest. It may come late, early or twice.
 * Times in milliseconds since the Unix epoch.
 */
export interface Schedule extends Timing {
  /** What is done about times that were missed: nothing, or one call for all of them. */
  readonly missed: MissedPolicy
  /** How long after it is made an invocation expires. */
  readonly expiresInMs?: number
  /** Up to here all times are dealt with. It only grows: a clock that is put back brings no time twice. */
  readonly afterMs: number
  /** The last time that was called. */
  readonly firedMs?: number
  /** Times that pass meanwhile are not missed: they are none. */
  readonly isPaused: boolean
}

export const MISSED_POLICIES = ['once', 'skip'] as const
export type MissedPolicy = (typeof MISSED_POLICIES)[number]

/** The record of a tick: the instruction, and its schedule. */
export type TickCall = Call & { readonly schedule: Schedule }

export function isTick(call: Call): call is TickCall {
  return call.schedule !== undefined
}

/** What a tick did, and how its schedule stands since. The journal tells it. */
export interface Tick extends Pick<Schedule, 'afterMs' | 'firedMs'> {
  readonly did: (typeof TICKED)[number]
}

/**
 * - `waited`: nothing was due.
 * - `fired`, `skipped`: its last time was called, or was missed and not called.
 * - `paused`, `resumed`: its schedule was.
 */
export const TICKED = ['waited', 'fired', 'skipped', 'paused', 'resumed'] as const

export interface TickSequel {
  readonly tick: Tick
  /** When the next one comes; undefined if the schedule has ended. */
  readonly dueMs: number | undefined
}

/** A time is missed that is not called within this time, or before the next one. */
const LATE_MS = 60_000
/**
 * A tick comes so often at the least: so the journal, which forgets, has always one of every schedule, and no record of a
 * schedule is on its way for longer.
 */
export const TICK_EVERY_MS = 86_400_000

/** Decides what a tick does that comes now. */
export function decideTick(schedule: Schedule, nowMs: number): TickSequel {
  if (schedule.isPaused) return decidePaused(schedule, nowMs)
  const firstMs = nextTimeMs(schedule, schedule.afterMs)
  if (firstMs === undefined || firstMs > nowMs) return followedBy(tickOf(schedule, 'waited'), firstMs, nowMs)
  // Those before it are missed.
  const lastMs = lastTimeMs(schedule, firstMs, nowMs)
  const isCalled = nowMs - lastMs <= LATE_MS || schedule.missed === 'once'
  const tick: Tick = isCalled
    ? { did: 'fired', afterMs: lastMs, firedMs: lastMs }
    : { ...tickOf(schedule, 'skipped'), afterMs: lastMs }
  return followedBy(tick, nextTimeMs(schedule, lastMs), nowMs)
}

/** Nothing is due. Once there is no time left for which it could be resumed it has ended. */
function decidePaused(schedule: Schedule, nowMs: number): TickSequel {
  const hasTimes = nextTimeMs(schedule, Math.max(schedule.afterMs, nowMs)) !== undefined
  return { tick: tickOf(schedule, 'waited'), dueMs: hasTimes ? nowMs + TICK_EVERY_MS : undefined }
}

/** Decides what a tick does that is to pause its schedule, or to have it go on. */
export function decideSteering(schedule: Schedule, to: 'pause' | 'resume', nowMs: number): TickSequel {
  if (to === 'pause') return { tick: tickOf(schedule, 'paused'), dueMs: nowMs + TICK_EVERY_MS }
  const afterMs = schedule.isPaused ? Math.max(schedule.afterMs, nowMs) : schedule.afterMs
  return followedBy({ ...tickOf(schedule, 'resumed'), afterMs }, nextTimeMs(schedule, afterMs), nowMs)
}

/** What is told of a tick that changed nothing. */
export function tickOf({ afterMs, firedMs }: Schedule, did: Tick['did']): Tick {
  return { did, afterMs, ...(firedMs !== undefined && { firedMs }) }
}

/** The tick with which a schedule begins. */
export function firstTick(call: TickCall, nowMs: number): TickCall {
  const { dueMs = nowMs } = decideTick(call.schedule, nowMs)
  return { ...call, notBeforeMs: dueMs }
}

/** The tick that follows on one that ended so. */
export function nextTick(call: TickCall, { afterMs, did, firedMs }: Tick, dueMs: number): TickCall {
  const { attempt, generation, schedule } = call
  const isSteered = did === 'paused' || did === 'resumed'
  return {
    ...call,
    generation: isSteered ? generation + 1 : generation,
    attempt: isSteered ? 1 : attempt + 1,
    notBeforeMs: dueMs,
    schedule: {
      ...schedule,
      afterMs,
      ...(firedMs !== undefined && { firedMs }),
      isPaused: isSteered ? did === 'paused' : schedule.isPaused,
    },
  }
}

/** The id of the invocation for a time of a schedule: the same however often it is derived. */
export function firingId(scheduleId: string, firedMs: number): string {
  return deriveId(firedMs, 'firing', scheduleId)
}

/** The invocation for a time of a schedule. */
export function firingOf(tick: TickCall, firedMs: number, nowMs: number): Call {
  const { expiresAtMs: _, notBeforeMs: __, schedule, ...call } = tick
  return {
    ...call,
    id: firingId(tick.id, firedMs),
    generation: 1,
    attempt: 1,
    acceptedAtMs: nowMs,
    parent: tick.id,
    headers: {
      ...call.headers,
      'posthaste-schedule-id': tick.id,
      'posthaste-schedule-time': formatInstant(firedMs),
    },
    ...(schedule.expiresInMs !== undefined && { expiresAtMs: nowMs + schedule.expiresInMs }),
  }
}

function followedBy(tick: Tick, nextMs: number | undefined, nowMs: number): TickSequel {
  return { tick, dueMs: nextMs === undefined ? undefined : Math.min(nextMs, nowMs + TICK_EVERY_MS) }
}
