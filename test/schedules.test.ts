import type { ScheduleDocument } from '@posthaste/core'
import t, { type Test } from 'tap'
import { Client } from './harness/client.js'
import { createRandom } from './harness/random.js'
import { ScheduleTarget } from './harness/schedule-target.js'
import { Schedules } from './harness/schedules.js'
import { temporaryDirectory } from './harness/temporary-directory.js'
import { EmbeddedWorld } from './model/embedded-world.js'

// Schedules on the embedded stream with a clock that the test moves: so days pass in milliseconds, also those on which the
// clocks of a place are put forward or back.

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

t.setTimeout(240_000)

/** A world with a target that knows what each call is for. */
class Stage {
  readonly world: EmbeddedWorld
  readonly target: ScheduleTarget
  readonly schedules: Schedules
  readonly #client: Client

  static async open(t: Test): Promise<Stage> {
    const stage = new Stage(
      await EmbeddedWorld.start(temporaryDirectory(t)),
      await ScheduleTarget.start(),
      new Client(),
    )
    t.teardown(async () => {
      await stage.world.stop()
      await stage.target.stop()
      stage.#client.close()
    })
    return stage
  }

  private constructor(world: EmbeddedWorld, target: ScheduleTarget, client: Client) {
    this.world = world
    this.target = target
    this.#client = client
    this.schedules = new Schedules(client, () => world.door(0).url)
  }

  get nowMs(): number {
    return this.world.clock.now()
  }

  create(schedule: object): Promise<ScheduleDocument> {
    return this.schedules.create({ ...schedule, instruction: { target: this.target.url } })
  }

  /** Lets time pass, back too, and then all be done that is due. */
  async pass(ms: number): Promise<void> {
    this.world.pass(ms)
    await this.world.drain()
  }

  passTo(time: string): Promise<void> {
    return this.pass(Date.parse(time) - this.nowMs)
  }

  /** Everything is stopped and comes back so much later. */
  async restart(awayMs = 0): Promise<void> {
    await this.world.restartAll()
    this.world.pass(awayMs)
    await this.world.startListener()
    await this.world.drain()
  }

  /** For which times it has called, in words. */
  timesOf(id: string): string[] {
    return this.target.timesOf(id).map((ms) => new Date(ms).toISOString().slice(5, 16))
  }
}

t.test('each time is one invocation, also over restarts', async (t) => {
  const stage = await Stage.open(t)
  await stage.passTo('2027-01-01T00:30:00Z')
  const { id } = await stage.create({ cron: '0 * * * *' })
  for (let half = 0; half < 12; half += 1) {
    if (half % 3 === 1) await stage.restart()
    await stage.pass(HOUR_MS / 2)
  }
  const hours = ['01', '02', '03', '04', '05', '06']
  t.strictSame(
    stage.timesOf(id),
    hours.map((hour) => `01-01T${hour}:00`),
  )
  t.equal(new Set(stage.target.firings.map((firing) => firing.id)).size, hours.length)
  t.ok(stage.target.firings.every(({ attempt }) => attempt === 1))
  const { lastRun, nextRuns, state } = await stage.schedules.get(id)
  t.strictSame([state, lastRun?.at, nextRuns[0]], ['active', '2027-01-01T06:00:00.000Z', '2027-01-01T07:00:00.000Z'])
  t.equal(lastRun?.id, stage.target.firings.at(-1)?.id)
  const shown = (await stage.world.door(0).get(String(lastRun?.id), '?wait=10s')).json
  t.match(shown, { state: 'succeeded', parent: id, createdAt: '2027-01-01T06:00:00.000Z' })
  t.equal((await stage.world.door(0).listAll({ parent: id })).length, hours.length)
  t.equal((await stage.world.door(0).listAll()).length, hours.length, 'the schedule itself is none')
})

t.test('over the days on which clocks are put forward and back', async (t) => {
  const stage = await Stage.open(t)
  await stage.passTo('2027-03-27T12:10:00Z')
  const timeZone = 'Europe/Berlin'
  const daily = (await stage.create({ cron: '30 2 * * *', timeZone })).id
  const halves = (await stage.create({ cron: '*/30 1-3 * * *', timeZone })).id
  const every = (await stage.create({ every: '6h', startAt: '2027-01-01T00:00:00Z' })).id
  for (let step = 0; step < 36; step += 1) await stage.pass(30 * MINUTE_MS)
  // 02:00 to 03:00 is left out on the 28th: 03:00 is 01:00 UTC.
  t.strictSame(stage.timesOf(daily), ['03-28T01:00'])
  t.strictSame(stage.timesOf(halves), ['03-28T00:00', '03-28T00:30', '03-28T01:00', '03-28T01:30'])
  t.strictSame(stage.timesOf(every), ['03-27T18:00', '03-28T00:00', '03-28T06:00'])
  await stage.passTo('2027-10-30T12:10:00Z')
  stage.target.firings.length = 0
  for (let step = 0; step < 36; step += 1) await stage.pass(30 * MINUTE_MS)
  // It comes twice on the 31st: from 00:00 and from 01:00 UTC.
  t.strictSame(stage.timesOf(daily), ['10-31T00:30'])
  const both = ['10-30T23', '10-31T00', '10-31T01', '10-31T02'].flatMap((hour) => [`${hour}:00`, `${hour}:30`])
  t.strictSame(stage.timesOf(halves), both)
})

t.test('what was missed while nobody was there follows the policy', async (t) => {
  const stage = await Stage.open(t)
  await stage.passTo('2027-01-01T00:30:00Z')
  const skips = (await stage.create({ cron: '0 * * * *', missed: 'skip' })).id
  const makesUp = (await stage.create({ cron: '0 * * * *', missed: 'once' })).id
  await stage.restart(5 * HOUR_MS)
  t.strictSame(stage.timesOf(skips), [])
  t.strictSame(stage.timesOf(makesUp), ['01-01T05:00'], 'one call for five times')
  await stage.pass(HOUR_MS / 2)
  t.strictSame([stage.timesOf(skips), stage.timesOf(makesUp)], [['01-01T06:00'], ['01-01T05:00', '01-01T06:00']])
  await stage.restart(HOUR_MS + MINUTE_MS)
  t.strictSame([stage.timesOf(skips).at(-1), stage.timesOf(makesUp).at(-1)], ['01-01T07:00', '01-01T07:00'], 'in time')
})

t.test('a clock that jumps brings no time twice, and none early', async (t) => {
  const stage = await Stage.open(t)
  await stage.passTo('2027-01-01T00:30:00Z')
  const { id } = await stage.create({ cron: '0 * * * *', missed: 'skip' })
  await stage.pass(HOUR_MS / 2)
  await stage.pass(-2 * HOUR_MS)
  await stage.pass(2 * HOUR_MS)
  t.strictSame(stage.timesOf(id), ['01-01T01:00'], 'back, and there again')
  await stage.pass(40 * DAY_MS)
  t.strictSame(stage.timesOf(id), ['01-01T01:00', '02-10T01:00'], 'ahead')
  await stage.pass(59 * MINUTE_MS)
  t.equal(stage.timesOf(id).length, 2)
  await stage.pass(MINUTE_MS)
  t.strictSame(stage.timesOf(id).at(-1), '02-10T02:00')
})

t.test('it is paused, resumed and deleted, and that outlasts everything', async (t) => {
  const stage = await Stage.open(t)
  await stage.passTo('2027-01-01T00:30:00Z')
  const { id } = await stage.create({ cron: '0 * * * *', missed: 'once' })
  const { schedules } = stage
  t.equal(await schedules.steer(id, 'pause'), 200)
  await stage.restart(3 * HOUR_MS)
  await stage.pass(50 * DAY_MS)
  t.strictSame(stage.timesOf(id), [])
  t.match(await schedules.get(id), { state: 'paused', nextRuns: [] })
  t.equal(await schedules.steer(id, 'pause'), 200, 'twice is once')
  t.equal(await schedules.steer(id, 'resume'), 200)
  await stage.restart()
  t.strictSame(stage.timesOf(id), [], 'what passed meanwhile was not missed')
  await stage.pass(HOUR_MS)
  t.strictSame(stage.timesOf(id), ['02-20T04:00'])
  t.equal(await schedules.steer(id, 'delete'), 200)
  await stage.restart()
  await stage.pass(3 * DAY_MS)
  t.strictSame(stage.timesOf(id), ['02-20T04:00'])
  t.strictSame(await schedules.list(), [])
})

t.test('what is asked while no listener is there is done by the next one', async (t) => {
  const stage = await Stage.open(t)
  await stage.passTo('2027-01-01T00:30:00Z')
  const [paused, deleted] = [await stage.create({ cron: '0 * * * *' }), await stage.create({ cron: '0 * * * *' })]
  await stage.world.stopListener()
  t.equal(await stage.schedules.steer(paused.id, 'pause', '0s'), 202)
  t.equal(await stage.schedules.steer(deleted.id, 'delete', '0s'), 202)
  const asked = (await stage.schedules.list()).map(({ id, pendingChange, state }) => [id, `${state}, ${pendingChange}`])
  t.strictSame(Object.fromEntries(asked), { [paused.id]: 'active, pause', [deleted.id]: 'active, delete' })
  stage.world.pass(2 * HOUR_MS)
  await stage.world.startListener()
  await stage.world.drain()
  t.strictSame(stage.target.firings, [])
  t.equal(await stage.schedules.steer(paused.id, 'pause'), 200)
  t.strictSame(
    (await stage.schedules.list()).map(({ id, state }) => [id, state]),
    [[paused.id, 'paused']],
  )
})

t.test('it ends with its last time', async (t) => {
  const stage = await Stage.open(t)
  await stage.passTo('2027-01-01T00:30:00Z')
  const { id } = await stage.create({
    cron: '0 * * * *',
    startAt: '2027-01-03T00:00:00Z',
    endAt: '2027-01-03T02:00:00Z',
  })
  for (let hour = 0; hour < 72; hour += 1) await stage.pass(HOUR_MS)
  t.strictSame(stage.timesOf(id), ['01-03T00:00', '01-03T01:00', '01-03T02:00'])
  t.match(await stage.schedules.get(id), { state: 'ended', nextRuns: [] })
})

const STEPS = 150

t.test('whatever happens to clock and listener, each time is called once or as the policy says', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const stage = await Stage.open(t)
  await stage.passTo('2027-01-01T00:00:00Z')
  const models = await Promise.all(
    [10 * SECOND_MS, 7 * MINUTE_MS, HOUR_MS].flatMap((everyMs) =>
      (['skip', 'once'] as const).map(async (missed) => {
        const { id } = await stage.create({ every: `${everyMs}ms`, missed })
        return new Model(id, everyMs, missed, stage.nowMs)
      }),
    ),
  )
  for (let step = 0; step < STEPS; step += 1) {
    const what = random.integer(0, 9)
    if (what < 6) stage.world.pass(random.integer(0, [SECOND_MS, MINUTE_MS, HOUR_MS, 2 * DAY_MS][what % 4] as number))
    else if (what === 6) stage.world.pass(-random.integer(0, 3 * HOUR_MS))
    else if (what === 7) {
      await stage.world.restartAll()
      stage.world.pass(random.integer(0, 3 * HOUR_MS))
      await stage.world.startListener()
    } else {
      const model = models[random.integer(0, models.length - 1)] as Model
      // What is due by now comes first: the model knows no other order.
      await stage.world.drain()
      for (const each of models) each.tick(stage.nowMs)
      await stage.schedules.steer(model.id, model.isPaused ? 'resume' : 'pause')
      model.steer(stage.nowMs)
    }
    await stage.world.drain()
    for (const model of models) model.tick(stage.nowMs)
  }
  for (const { everyMs, fired, id, missed } of models)
    t.strictSame(stage.target.timesOf(id), fired, `every ${everyMs} ms, ${missed}: ${fired.length} calls`)
  t.ok(models.some(({ fired }) => fired.length > 10))
})

/** What a schedule with an interval is to do: a few lines that count. */
class Model {
  readonly fired: number[] = []
  isPaused = false
  readonly id: string
  readonly everyMs: number
  readonly missed: 'skip' | 'once'
  readonly #startMs: number
  #doneMs: number

  constructor(id: string, everyMs: number, missed: 'skip' | 'once', startMs: number) {
    this.id = id
    this.everyMs = everyMs
    this.missed = missed
    this.#startMs = startMs
    this.#doneMs = startMs
  }

  tick(nowMs: number): void {
    const lastMs = nowMs - ((nowMs - this.#startMs) % this.everyMs)
    if (this.isPaused || nowMs < this.#startMs || lastMs <= this.#doneMs) return
    this.#doneMs = lastMs
    if (nowMs - lastMs <= MINUTE_MS || this.missed === 'once') this.fired.push(lastMs)
  }

  steer(nowMs: number): void {
    if (this.isPaused) this.#doneMs = Math.max(this.#doneMs, nowMs)
    this.isPaused = !this.isPaused
  }
}
