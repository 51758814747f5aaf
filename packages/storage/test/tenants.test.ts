import { type Call, type Directive, decideTick, encodeCall, firstTick, nextTick, type Schedule } from '@posthaste/core'
import t from 'tap'
import type { InvocationView } from '../src/index.js'
import {
  answered,
  callOf,
  FAILED,
  Feeder,
  MINUTE_MS,
  NOW_MS,
  onCalls,
  onControl,
  onJournal,
  openView,
} from './view-harness.js'

const TENANTS = ['', 'acme', 'globex'] as const
type Tenant = (typeof TENANTS)[number]

const hourly: Schedule = { everyMs: 3_600_000, startAtMs: NOW_MS, missed: 'once', afterMs: NOW_MS, isPaused: false }

function of(tenant: Tenant, id: string, changes: Partial<Call> = {}): Call {
  return callOf(id, { ...changes, ...(tenant !== '' && { tenant }) })
}

/** Ids of all that is listed, a few at a time, and every cursor on the way. */
function walk(view: InvocationView, query: object, limit = 3): { ids: string[]; cursors: string[] } {
  const [ids, cursors]: string[][] = [[], []]
  for (let cursor: string | undefined; ; ) {
    const page: ReturnType<InvocationView['list']> = view.list({ ...query, limit, ...(cursor && { cursor }) })
    ids?.push(...page.items.map(({ id }) => id))
    if (page.next === undefined) return { ids: ids ?? [], cursors: cursors ?? [] }
    cursor = page.next
    cursors?.push(cursor)
  }
}

t.test('each tenant finds what is his, whatever he looks for', async (t) => {
  const { view } = openView(t)
  const calls = Array.from({ length: 30 }, (_, index) =>
    of(TENANTS[index % 3] as Tenant, `order:${String(index).padStart(2, '0')}`, {
      acceptedAtMs: NOW_MS + Math.floor(index / 4),
      correlationId: 'the same',
      parent: 'order:00',
    }),
  )
  const timeOf = (id: string) => calls.find((call) => call.id === id)?.acceptedAtMs ?? 0
  const failed = calls.filter((_, index) => index % 2 === 0)
  await new Feeder(view).apply({
    calls: calls.map((call) => onCalls(call)),
    journal: failed.map((call) => onJournal(call, { state: 'failed', failure: FAILED }, answered(500))),
  })
  const failedIds = new Set(failed.map(({ id }) => id))
  for (const tenant of TENANTS) {
    const own = calls.filter((call) => (call.tenant ?? '') === tenant).map(({ id }) => id)
    const newestFirst = own.toReversed()
    for (const query of [
      {},
      { target: calls[0]?.target },
      { target: 'https://a.example' },
      { correlationId: 'the same' },
      { namePrefix: 'order:' },
    ]) {
      t.strictSame(walk(view, { tenant, ...query }).ids, newestFirst, `${tenant} ${JSON.stringify(query)}`)
      const oldestFirst = walk(view, { tenant, ...query, order: 'oldest-first' }).ids
      t.strictSame(oldestFirst, own, `${tenant} ${JSON.stringify(query)} the other way round`)
    }
    t.strictSame(walk(view, { tenant, namePrefix: 'the' }).ids, [], 'that is the name of what they come from')
    const between = { createdAfterMs: NOW_MS + 2, createdBeforeMs: NOW_MS + 5 }
    const some = own.filter((id) => timeOf(id) >= between.createdAfterMs && timeOf(id) < between.createdBeforeMs)
    const found = (order: object) => walk(view, { tenant, ...between, ...order }).ids
    t.strictSame([found({}), found({ order: 'oldest-first' })], [some.toReversed(), some])
    t.strictSame(walk(view, { tenant, parent: 'order:00' }).ids, newestFirst, `${tenant} parent`)
    const dead = newestFirst.filter((id) => failedIds.has(id))
    t.strictSame(walk(view, { tenant, states: ['failed'] }).ids, dead, `${tenant} failed`)
    const { cursors } = walk(view, { tenant }, 1)
    const shown = cursors.map((cursor) => Buffer.from(cursor, 'base64url').toString('latin1').slice(7))
    t.strictSame(shown, newestFirst.slice(0, -1), 'a cursor names nothing of another')
    t.equal(view.openOf(tenant), own.length - dead.length)
    for (const { id, tenant: whose = '' } of calls)
      t.equal(view.get(id, tenant)?.id, whose === tenant ? id : undefined, `${tenant} ${id}`)
  }
  t.equal(view.get('order:01')?.id, 'order:01', 'whoever looks for all finds all')
  t.strictSame([view.list({ tenant: 'nobody', limit: 9 }), view.openOf('nobody')], [{ items: [] }, 0])
  t.equal(view.get('order:00', 'nobody'), undefined)
  t.throws(() => view.list({ tenant: 'nobody', limit: 9, cursor: 'x' }), { code: 'invalid-query' }, 'as for anybody')
  t.match(view.counts(), { accepted: 30, byState: { failed: 15, queued: 15 } })
  t.equal(view.oldestWaitingAtMs(), NOW_MS)
})

t.test('what another tenant has under the same id changes nothing', async (t) => {
  for (const first of ['calls', 'journal'] as const) {
    const { view } = openView(t)
    const feeder = new Feeder(view)
    const own = of('acme', 'order-42')
    const others = of('globex', 'order-42', {
      target: 'https://b.example/',
      generation: 2,
      body: Buffer.from('secret'),
    })
    const ofOwn = {
      calls: [onCalls(own)],
      journal: [onJournal(own, { state: 'failed', record: encodeCall(own) }, answered(500))],
    }
    const ofOthers = {
      calls: [onCalls(others)],
      journal: [onJournal(others, { state: 'succeeded' }, answered(200, 'secret'))],
    }
    await feeder.apply({ [first]: ofOwn[first] })
    const before = view.get('order-42', 'acme')
    await feeder.apply(ofOthers)
    t.strictSame(view.get('order-42', 'acme'), before, first)
    t.notMatch(JSON.stringify([view.get('order-42'), view.response('order-42')]), /secret|b\.example/)
    t.equal(view.get('order-42', 'globex'), undefined)
    t.strictSame(view.list({ tenant: 'globex', limit: 9 }).items, [])
  }
})

t.test('a head of another tenant is not taken for that of what has ended', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  await feeder.apply({ journal: [onJournal(of('acme', 'a'), { state: 'succeeded' }, answered(200))] })
  await feeder.apply({ calls: [onCalls(of('globex', 'a', { headers: { 'x-b': 'of globex' } }))] })
  t.equal(view.get('a', 'acme')?.instruction, undefined)
  await feeder.apply({ calls: [onCalls(of('acme', 'a'))] })
  t.match(view.get('a', 'acme')?.instruction, { headers: { 'x-a': '1' } })
})

t.test('what is open is counted for each tenant, until it has ended or is forgotten', async (t) => {
  const { view } = openView(t, { ageMs: MINUTE_MS })
  const feeder = new Feeder(view)
  const open = (): number[] => TENANTS.map((tenant) => view.openOf(tenant))
  const call = of('acme', 'a')
  const tick = firstTick({ ...of('globex', 's'), schedule: hourly }, NOW_MS)
  await feeder.apply({ calls: [onCalls(call), onCalls(of('acme', 'b')), onCalls(of('', 'c')), onCalls(tick)] })
  t.strictSame(open(), [1, 2, 1])
  await feeder.apply({ calls: [onCalls(call)], journal: [onJournal(call, { state: 'running' })] })
  t.strictSame(open(), [1, 2, 1], 'told again it is none more')
  await feeder.apply({ journal: [onJournal(call, { state: 'failed', record: encodeCall(call) }, answered(500))] })
  t.strictSame(open(), [1, 1, 1])
  await feeder.apply({ calls: [onCalls({ ...call, generation: 2 })] })
  t.strictSame(open(), [1, 2, 1], 'redriven')
  const ended = { state: 'cancelled', record: encodeCall(tick) } as const
  await feeder.apply({ journal: [onJournal(tick, { ...ended, tick: decideTick(tick.schedule, NOW_MS).tick })] })
  t.strictSame(open(), [1, 2, 0])
  await feeder.apply({ journal: [onJournal({ ...call, generation: 2 }, { state: 'succeeded' }, answered(200))] })
  while ((await view.applyRetention(NOW_MS + 10 * MINUTE_MS)) > 0);
  t.strictSame(open(), [1, 1, 0], 'what had ended was not counted')
  const from = view.position('journal')
  const gap = { log: 'journal', from, to: 'behind the gap', records: [], missedUntilMs: NOW_MS + MINUTE_MS } as const
  t.equal(await view.apply([gap]), 'applied')
  t.strictSame(open(), [0, 0, 0])
  t.strictSame(walk(view, { tenant: 'acme' }).ids, [])
})

t.test('schedules are those of their tenant', async (t) => {
  const { view } = openView(t, { ageMs: MINUTE_MS })
  const feeder = new Feeder(view)
  const ticks = ['a', 'b', 'c', 'd', 'e', 'f'].map((id, index) =>
    firstTick({ ...of(TENANTS[index % 3] as Tenant, id), schedule: hourly }, NOW_MS),
  )
  await feeder.apply({ calls: ticks.map((tick) => onCalls(tick)) })
  const [first] = ticks
  if (!first) return
  const { dueMs, tick } = decideTick(first.schedule, NOW_MS)
  await feeder.apply({
    calls: [onCalls({ ...nextTick(first, tick, dueMs ?? 0), tenant: 'acme', target: 'https://b/' })],
  })
  t.strictSame(view.schedule('a', '')?.call.target, first.target, 'another cannot change it')
  for (const [index, tenant] of TENANTS.entries()) {
    const own = [ticks[index + 3], ticks[index]].map((tick) => tick?.id)
    const page = view.schedules({ tenant, limit: 1 })
    const next = view.schedules({ tenant, limit: 9, cursor: page.next ?? '' })
    t.strictSame(
      [...page.items, ...next.items].map(({ id }) => id),
      own,
      tenant,
    )
    t.match(Buffer.from(page.next ?? '', 'base64url').toString('latin1'), own[0])
    for (const { id } of ticks) t.equal(view.schedule(id, tenant)?.id, own.includes(id) ? id : undefined, id)
  }
  t.strictSame(view.schedules({ tenant: 'nobody', limit: 9 }), { items: [] })
  t.equal(view.schedule('a', 'nobody'), undefined)
  t.throws(() => view.schedules({ tenant: 'nobody', limit: 9, cursor: 'x' }), { code: 'invalid-query' })

  await feeder.apply({ journal: [onJournal(first, { state: 'cancelled', tick, record: encodeCall(first) })] })
  while ((await view.applyRetention(NOW_MS + 10 * MINUTE_MS)) > 0);
  t.strictSame(
    view.schedules({ limit: 9 }).items.map(({ id }) => id),
    ['d'],
    'what is forgotten is in no list',
  )
  t.notOk(view.schedules({ limit: 1 }).next, 'nor behind it')
})

t.test('of ticks of several tenants under one id the first counts, also in one batch', async (t) => {
  const { view } = openView(t)
  const tick = firstTick({ ...of('acme', 'a'), schedule: hourly }, NOW_MS)
  const later = { ...firstTick({ ...of('globex', 'a'), schedule: hourly }, NOW_MS), generation: 2 }
  await new Feeder(view).apply({ calls: [onCalls(tick), onCalls(later)] })
  t.strictSame([view.schedule('a', 'acme')?.id, view.schedule('a', 'globex')], ['a', undefined])
  t.strictSame([view.openOf('acme'), view.openOf('globex')], [1, 0])
})

t.test('directives that stand are counted for each tenant, once for an invocation', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const directive = (id: string, tenant: Tenant, what: Partial<Directive> = {}): Directive => ({
    ...{ id, generation: 1, attempt: 1, kind: 'cancel', number: 7, isDone: false, askedAtMs: NOW_MS },
    ...{ untilMs: NOW_MS + 1e9, record: Buffer.of(), ...(tenant !== '' && { tenant }), ...what },
  })
  const standing = (): object[] => TENANTS.map((tenant) => view.directivesOf(tenant))
  const moved = directive('b', 'acme', { kind: 'move', number: 6, dueMs: NOW_MS })
  await feeder.apply({ control: [onControl(directive('a', 'acme')), onControl(moved), onControl(directive('c', ''))] })
  const first = [
    { own: 1, others: 2 },
    { own: 2, others: 1 },
    { own: 0, others: 3 },
  ]
  t.strictSame(standing(), first)
  const done = directive('a', 'acme', { isDone: true })
  await feeder.apply({ control: [onControl(done), onControl(directive('b', 'acme'))] })
  t.strictSame(standing(), first, 'another in its place is none more')
  await feeder.apply({ control: [{ key: 'a', value: Buffer.of() }] })
  t.strictSame(view.directivesOf('acme'), { own: 1, others: 1 }, 'forgotten')
  t.equal(view.counts().directives, 2)
})

t.test('a view that is emptied gives numbers anew', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  await feeder.apply({ calls: [onCalls(of('acme', 'a')), onCalls(of('globex', 'b'))] })
  await view.clear()
  t.equal(view.openOf('acme'), 0)
  await feeder.apply({ calls: [onCalls(of('globex', 'b')), onCalls(of('acme', 'a'))] })
  t.strictSame([view.get('a', 'acme')?.id, view.get('b', 'acme')?.id], ['a', undefined])
})
