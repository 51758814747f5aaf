import t, { type Test } from 'tap'
import { type Backend, embedded, kafka, nats, testOn } from './harness/backends.js'
import { Client } from './harness/client.js'
import { Fleet } from './harness/fleet.js'
import type { Installation } from './harness/installation.js'
import { ScheduleTarget } from './harness/schedule-target.js'
import { Schedules } from './harness/schedules.js'

// Schedules with two processes, each of which accepts and calls, and one is killed after the other while they call once a
// second: each time is one invocation. A second schedule, which nobody touches, tells that time has passed.

/** What is called about the time of a kill may be called twice. */
const KILL_MS = 5_000
/** So many times tell enough. */
const TIMES = 3
const TIMES_MS_MAX = 60_000
/** What nobody is to call any more is waited for so long, in times of the other schedule. */
const QUIET_TIMES = 3

t.setTimeout(300_000)
// They wait most of the time.
t.jobs = 3

for (const backend of [embedded, nats, kafka] as readonly Backend[]) {
  const name = 'each time is one invocation, with two listeners'
  testOn(t, backend, name, 200_000, (t) => killOne(t, backend.create(t)), { buffered: true })
}

async function killOne(t: Test, installation: Installation): Promise<void> {
  const target = await ScheduleTarget.start()
  const client = new Client()
  const fleet = new Fleet(installation)
  t.teardown(async () => {
    await fleet.crash(fleet.members)
    client.close()
    await target.stop()
  })
  await fleet.start(['start-1', 'start-2'])
  const schedules = new Schedules(client, () => String(fleet.doorUrl))
  const instruction = { target: target.url }
  const { id: witness } = await schedules.create({ every: '1s', instruction })
  const { id } = await schedules.create({ cron: '* * * * * *', timeZone: 'Europe/Berlin', instruction })

  const untilCalled = (scheduleId: string, more: number): Promise<void> => {
    const count = target.timesOf(scheduleId).length + more
    return target.server.until(() => target.timesOf(scheduleId).length >= count, TIMES_MS_MAX)
  }
  await untilCalled(id, TIMES)
  const killedAtMs = [await fleet.crash(['start-1'])]
  await untilCalled(id, TIMES)

  t.equal(await schedules.steer(id, 'pause', '30s'), 200)
  const pausedAtMs = Date.now()
  killedAtMs.push(await fleet.crash(['start-2']))
  await fleet.start(['start-3'])
  await untilCalled(witness, QUIET_TIMES)
  const resumedAtMs = Date.now()
  t.equal(await schedules.steer(id, 'resume', '30s'), 200)
  await untilCalled(id, TIMES)

  t.equal(await schedules.steer(id, 'delete', '30s'), 200)
  const deletedAtMs = Date.now()
  await untilCalled(witness, QUIET_TIMES)
  const isQuiet = (ms: number): boolean => (ms > pausedAtMs && ms < resumedAtMs) || ms > deletedAtMs
  t.strictSame(target.timesOf(id).filter(isQuiet), [], 'no time is called while it is paused, or once it is deleted')
  t.strictSame(
    (await schedules.list()).map((schedule) => schedule.id),
    [witness],
  )
  checkFirings(t, target, killedAtMs)
}

/** Each time is one invocation; only what ran when a listener was killed is called twice. */
function checkFirings(t: Test, { firings }: ScheduleTarget, killedAtMs: readonly number[]): void {
  const ids = new Map<string, Set<string>>()
  for (const { id, scheduleId, timeMs } of firings) {
    const name = `${scheduleId} ${timeMs}`
    ids.set(name, (ids.get(name) ?? new Set()).add(id))
  }
  t.ok(ids.size > 0)
  t.strictSame(
    [...ids.values()].filter(({ size }) => size !== 1),
    [],
    'each time has one invocation',
  )
  const again = firings.filter(({ id }, index) => firings.findIndex((firing) => firing.id === id) !== index)
  const isOfKill = (ms: number): boolean => killedAtMs.some((atMs) => Math.abs(ms - atMs) < KILL_MS)
  t.strictSame(
    again.filter(({ timeMs }) => !isOfKill(timeMs)),
    [],
    'and is called once',
  )
}
