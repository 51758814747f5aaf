import {
  decideSteering,
  decideTick,
  deriveId,
  encodeCall,
  firstTick,
  type Happening,
  nextTick,
  type Schedule,
  type TickCall,
  type TickSequel,
} from '@posthaste/core'
import fc from 'fast-check'
import t from 'tap'
import { callOf, Feeder, NOW_MS, onCalls, onControl, onJournal, openView, type Told } from './view-harness.js'

const HOUR_MS = 3_600_000
const hourly: Schedule = { everyMs: HOUR_MS, startAtMs: NOW_MS, missed: 'once', afterMs: NOW_MS, isPaused: false }
const atHour = (hour: number): number => NOW_MS + hour * HOUR_MS

function tickOf(id: string, changes: Partial<Schedule> = {}): TickCall {
  return firstTick({ ...callOf(id, { headers: { authorization: 'a' } }), schedule: { ...hourly, ...changes } }, NOW_MS)
}

/** What the journal tells of a tick, and the one that comes of it. */
function ended(tick: TickCall, { dueMs, tick: did }: TickSequel, atMs: number): { told: Told; next: TickCall } {
  const what: Happening = { atMs, state: dueMs === undefined ? 'succeeded' : 'retrying', tick: did }
  if (dueMs !== undefined) what.nextAttemptAtMs = dueMs
  return {
    told: onJournal(tick, { ...what, record: encodeCall(tick) }),
    next: nextTick(tick, did, dueMs ?? atMs),
  }
}

function open(t: Parameters<typeof openView>[0], retention: Parameters<typeof openView>[1] = {}) {
  const { view } = openView(t, retention)
  return { view, feeder: new Feeder(view) }
}

t.test('a schedule is shown as it goes on, and is no invocation', async (t) => {
  const { feeder, view } = open(t)
  const tick = tickOf('order-42')
  await feeder.apply({ calls: [onCalls(tick)] })
  t.match(view.schedule('order-42'), {
    ...{ id: 'order-42', state: 'active', createdAtMs: NOW_MS, schedule: hourly },
    call: { target: tick.target, method: 'POST', instruction: { headers: { authorization: '***' } } },
  })
  t.equal(view.get('order-42'), undefined)
  t.strictSame(view.list({ limit: 9 }).items, [])
  t.equal(view.counts().accepted, 0)
  t.match(view.waiting('order-42'), { generation: 1, attempt: 1, dueMs: atHour(1), record: encodeCall(tick) })
  const { next, told } = ended(tick, decideTick(hourly, atHour(1)), atHour(1))
  await feeder.apply({ journal: [told] })
  t.match(view.schedule('order-42'), { state: 'active', schedule: { firedMs: atHour(1), afterMs: atHour(1) } })
  t.match(view.waiting('order-42'), { generation: 1, attempt: 2, dueMs: atHour(2), record: encodeCall(next) })
  t.equal(view.counts().accepted + view.counts().ended, 0)
})

t.test('it is paused and resumed in another generation', async (t) => {
  const { feeder, view } = open(t)
  const first = tickOf('a')
  const paused = ended(first, decideSteering(first.schedule, 'pause', atHour(0.5)), atHour(0.5))
  await feeder.apply({ calls: [onCalls(first)], journal: [paused.told] })
  t.equal(view.schedule('a')?.state, 'paused')
  t.match(view.waiting('a'), { generation: 2, attempt: 1 })
  await feeder.apply({ calls: [onCalls(first, atHour(1))] })
  t.equal(view.schedule('a')?.state, 'paused', 'what is left of the last one does not count')
  const resumed = ended(paused.next, decideSteering(paused.next.schedule, 'resume', atHour(2.5)), atHour(2.5))
  await feeder.apply({ journal: [resumed.told] })
  t.match(view.schedule('a'), { state: 'active', schedule: { afterMs: atHour(2.5) } })
  t.match(view.waiting('a'), { generation: 3, attempt: 1, dueMs: atHour(3) })
})

t.test('what the journal has of it is enough', async (t) => {
  const { feeder, view } = open(t)
  const tick = tickOf('a')
  await feeder.apply({
    journal: [onJournal(tick, { state: 'scheduled', nextAttemptAtMs: atHour(1), record: encodeCall(tick) })],
  })
  t.match(view.waiting('a'), { attempt: 1, dueMs: atHour(1), record: encodeCall(tick) })
})

t.test('one that is deleted, or has ended, goes on no more', async (t) => {
  const { feeder, view } = open(t)
  const [deleted, over] = [tickOf('a'), tickOf('b', { endAtMs: atHour(1) })]
  const cancelled = onJournal(deleted, { state: 'cancelled', atMs: NOW_MS + 5, record: encodeCall(deleted) })
  const last = ended(over, decideTick(over.schedule, atHour(1)), atHour(1))
  await feeder.apply({ calls: [onCalls(deleted), onCalls(over)], journal: [cancelled, last.told] })
  t.match(view.schedule('a'), { state: 'deleted', endedAtMs: NOW_MS + 5 })
  t.match(view.schedule('b'), { state: 'ended', endedAtMs: atHour(1), schedule: { firedMs: atHour(1) } })
  t.strictSame([view.waiting('a'), view.waiting('b')], [undefined, undefined])
  const late = ended(deleted, decideTick(hourly, atHour(1)), atHour(1))
  await feeder.apply({ calls: [onCalls(late.next, atHour(2))], journal: [late.told] })
  t.equal(view.schedule('a')?.state, 'deleted')
  t.strictSame(
    view.schedules({ limit: 9 }).items.map(({ id }) => id),
    ['b'],
  )
})

t.test('one whose tick became a dead letter has ended', async (t) => {
  const { feeder, view } = open(t)
  const tick = tickOf('a')
  const failed = onJournal(tick, { state: 'failed', atMs: NOW_MS + 5, record: encodeCall(tick) })
  await feeder.apply({ calls: [onCalls(tick)], journal: [failed] })
  t.match(view.schedule('a'), { state: 'ended', endedAtMs: NOW_MS + 5 })
  t.equal(view.get('a'), undefined)
})

t.test('what has ended is kept for its time, and then is not known any more', async (t) => {
  const { feeder, view } = open(t, { ageMs: HOUR_MS })
  const tick = tickOf('a')
  const asked = {
    ...({ id: 'a', generation: 1, attempt: 1, kind: 'cancel', number: 1, askedAtMs: NOW_MS, isDone: true } as const),
    ...{ untilMs: NOW_MS, record: new Uint8Array(0) },
  }
  const cancelled = onJournal(tick, { state: 'cancelled', atMs: NOW_MS, record: encodeCall(tick) })
  await feeder.apply({
    calls: [onCalls(tick), onCalls(tickOf('b'))],
    journal: [cancelled],
    control: [onControl(asked)],
  })
  t.equal(await view.applyRetention(NOW_MS + HOUR_MS), 0)
  t.equal(view.schedule('a')?.state, 'deleted')
  t.equal(await view.applyRetention(NOW_MS + HOUR_MS + 120_000), 1)
  t.equal(view.schedule('a'), undefined)
  t.equal(view.schedule('b')?.state, 'active')
  await feeder.apply({ calls: [onCalls(tick, atHour(1))] })
  t.equal(view.schedule('a'), undefined, 'what comes of it late does not bring it back')
})

t.test(
  'where a part of the journal was missed, those that may have ended are forgotten until they are told of',
  async (t) => {
    const { feeder, view } = open(t)
    const [due, later, over] = [tickOf('due'), tickOf('later', { everyMs: 2 * HOUR_MS }), tickOf('over')]
    const end = ended(over, { tick: { did: 'fired', afterMs: atHour(1) }, dueMs: undefined }, atHour(1))
    await feeder.apply({ calls: [due, later, over].map((tick) => onCalls(tick)), journal: [end.told] })
    const fired = ended(due, decideTick(hourly, atHour(1)), atHour(1))
    const missed = { log: 'journal', from: view.position('journal'), records: [], missedUntilMs: atHour(1) } as const
    t.equal(await view.apply([{ ...missed, to: 'behind the gap' }]), 'applied')
    const idsNow = (): string[] => view.schedules({ limit: 9 }).items.map(({ id }) => id)
    t.strictSame(idsNow().sort(), ['later', 'over'])
    t.equal(view.waiting('due'), undefined)
    await feeder.apply({ journal: [fired.told] })
    t.match(view.waiting('due'), { attempt: 2, dueMs: atHour(2) })
  },
)

t.test('they are listed newest first, a page at a time', async (t) => {
  const { feeder, view } = open(t)
  const ids = Array.from({ length: 7 }, (_, index) => deriveId(NOW_MS + index, index))
  await feeder.apply({ calls: ids.map((id, index) => onCalls(tickOf(id, { isPaused: index % 3 === 0 }))) })
  const listed: string[] = []
  let cursor: string | undefined
  do {
    const page = view.schedules({ limit: 3, ...(cursor !== undefined && { cursor }) })
    t.ok(page.items.length <= 3)
    listed.push(...page.items.map(({ id }) => id))
    cursor = page.next
  } while (cursor !== undefined)
  t.strictSame(listed, ids.toReversed())
  const paused = view.schedules({ limit: 9, states: ['paused'] }).items.map(({ id }) => id)
  t.strictSame(paused, [ids[6], ids[3], ids[0]])
  t.throws(() => view.schedules({ limit: 1, cursor: 'nonsense' }), { code: 'invalid-query' })
})

t.test('what was asked is shown until it is done', async (t) => {
  const { feeder, view } = open(t)
  const tick = tickOf('a')
  const asked = {
    ...({ id: 'a', generation: 1, attempt: 1, kind: 'pause', number: 1, askedAtMs: NOW_MS, isDone: false } as const),
    ...{ untilMs: NOW_MS, record: encodeCall(tick) },
  }
  await feeder.apply({ calls: [onCalls(tick)], control: [onControl(asked)] })
  t.strictSame(view.schedule('a')?.directive, { kind: 'pause', isDone: false })
  t.equal(view.get('a'), undefined)
  await feeder.apply({ control: [onControl({ ...asked, isDone: true })] })
  t.strictSame(view.schedule('a')?.directive, { kind: 'pause', isDone: true })
})

t.test('in whatever order it is told, and however often, the same is shown', async (t) => {
  const ticks = lifeOf(tickOf('a', { endAtMs: atHour(9) }))
  const inOrder = await shownAfter(t, [ticks.map((_, index) => index)])
  t.match(inOrder, { state: 'ended', schedule: { firedMs: atHour(9) } })
  const seed = Number(process.env.POSTHASTE_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}`)
  const index = fc.nat({ max: ticks.length - 1 })
  const orders = fc.tuple(
    fc.array(fc.array(index, { maxLength: 4 }), { maxLength: 6 }),
    fc.shuffledSubarray([...ticks.keys()], { minLength: ticks.length }),
  )
  await fc.assert(
    fc.asyncProperty(orders, async ([some, all]) => {
      t.strictSame(await shownAfter(t, [...some, all]), inOrder)
    }),
    { seed, numRuns: 30 },
  )

  async function shownAfter(t: Parameters<typeof openView>[0], batches: readonly (readonly number[])[]) {
    const { feeder, view } = open(t)
    for (const batch of batches) {
      const told = batch.map((at) => ticks[at] as (typeof ticks)[number])
      await feeder.apply({
        calls: told.flatMap(({ call }) => call ?? []),
        journal: told.flatMap(({ entry }) => entry ?? []),
      })
    }
    return view.schedule('a')
  }
})

/** All that is told of a schedule that is paused for a while and comes to its end: each record by itself. */
function lifeOf(first: TickCall): { call?: Told; entry?: Told }[] {
  const life: { call?: Told; entry?: Told }[] = []
  let tick = first
  for (let hour = 1; hour <= 9; hour += 1) {
    const { schedule } = tick
    const steering = { 3: 'pause', 5: 'resume' }[hour] as 'pause' | 'resume' | undefined
    const sequel = steering ? decideSteering(schedule, steering, atHour(hour) - 9) : decideTick(schedule, atHour(hour))
    const { next, told } = ended(tick, sequel, atHour(hour))
    life.push({ call: onCalls(tick, atHour(hour)) }, { entry: told })
    if (sequel.dueMs === undefined) break
    tick = next
  }
  return life
}
