import { createId, INVOCATION_STATES, type InvocationQuery, type InvocationState } from '@posthaste/core'
import t, { type Test } from 'tap'
import type { InvocationView } from '../src/index.js'
import { answered, callOf, FAILED, Feeder, NOW_MS, onCalls, onJournal, openView, type Told } from './view-harness.js'

interface One {
  readonly id: string
  readonly state: InvocationState
  readonly createdAtMs: number
  readonly target: string
  readonly correlationId: string | undefined
  readonly parent: string | undefined
}

/** When those came that are queued. */
const QUEUED_MS = NOW_MS + 5
const TARGETS = ['https://a.example/x', 'https://a.example/y?q=1', 'https://a.example:8443/x', 'https://b.example/x']

/** Many invocations in all states, several of each time. */
function many(count: number): One[] {
  return Array.from({ length: count }, (_, index) => ({
    id: index % 7 === 0 ? `order:${index}` : createId(NOW_MS + Math.floor(index / 3)),
    state: INVOCATION_STATES[(index * 5 + Math.floor(index / 11)) % INVOCATION_STATES.length] as InvocationState,
    createdAtMs: NOW_MS + Math.floor(index / 3),
    target: TARGETS[index % TARGETS.length] as string,
    correlationId: index % 5 === 0 ? undefined : `order ${index % 4}`,
    parent: index % 3 === 0 ? `parent:${index % 2}` : undefined,
  }))
}

/** Tells of invocations, each in its state. */
async function fill(view: InvocationView, invocations: readonly One[]): Promise<void> {
  const calls: Told[] = []
  const journal: Told[] = []
  for (const { correlationId, createdAtMs, id, parent, state, target } of invocations) {
    const call = callOf(id, {
      acceptedAtMs: createdAtMs,
      target,
      ...(correlationId !== undefined && { correlationId }),
      ...(parent !== undefined && { parent }),
    })
    if (state === 'scheduled') calls.push(onCalls({ ...call, notBeforeMs: NOW_MS + 1e6 }))
    else calls.push(onCalls(call, QUEUED_MS))
    if (state === 'queued' || state === 'scheduled') continue
    journal.push(onJournal(call, { state, failure: FAILED, nextAttemptAtMs: NOW_MS + 1e7 }, answered(500)))
  }
  await new Feeder(view).apply({ calls, journal })
}

/** Newest first; of the same time by the id, those of version 7 being less than all others. */
function inOrder(invocations: readonly One[]): One[] {
  const place = ({ createdAtMs, id }: One) => `${createdAtMs} ${id.startsWith('order') ? 1 : 0} ${id}`
  return invocations.toSorted((a, b) => (place(a) < place(b) ? 1 : -1))
}

function* pagesOf(view: InvocationView, query: InvocationQuery) {
  let cursor: string | undefined
  do {
    const { items, next }: ReturnType<InvocationView['list']> = view.list({ ...query, ...(cursor && { cursor }) })
    yield items.map(({ id }) => id)
    cursor = next
  } while (cursor)
}

const all = many(400)

async function filled(t: Test): Promise<InvocationView> {
  const { view } = openView(t)
  await fill(view, all)
  return view
}

t.test('filters, and any of them together', async (t) => {
  const view = await filled(t)
  const [fromMs, toMs] = [NOW_MS + 40, NOW_MS + 90]
  const filters: [Partial<InvocationQuery>, (one: One) => boolean][] = [
    [{ states: ['failed', 'expired'] }, ({ state }) => state === 'failed' || state === 'expired'],
    [{ states: ['running', 'running'] }, ({ state }) => state === 'running'],
    [{ target: 'https://a.example/x' }, ({ target }) => target === TARGETS[0]],
    [{ target: 'https://a.example/y?other=2' }, ({ target }) => target === TARGETS[1]],
    [{ target: 'HTTPS://A.example' }, ({ target }) => target.startsWith('https://a.example/')],
    [{ correlationId: 'order 3' }, ({ correlationId }) => correlationId === 'order 3'],
    [{ parent: 'parent:1' }, ({ parent }) => parent === 'parent:1'],
    [{ createdAfterMs: fromMs }, ({ createdAtMs }) => createdAtMs >= fromMs],
    [{ createdBeforeMs: toMs }, ({ createdAtMs }) => createdAtMs < toMs],
    [{ target: 'https://nobody.example/' }, () => false],
    [{ correlationId: 'nothing' }, () => false],
    [{ states: [] }, () => false],
  ]
  let hits = 0
  for (let chosen = 0; chosen < 2 ** filters.length; chosen += 1) {
    const some = filters.filter((_, index) => chosen & (1 << index))
    const query = Object.assign({}, ...some.map(([filter]) => filter)) as Partial<InvocationQuery>
    // Of two filters by the same thing the last one counts.
    const tests = new Map(some.flatMap(([filter, test]) => Object.keys(filter).map((name) => [name, test])))
    const expected = inOrder(all.filter((one) => [...tests.values()].every((test) => test(one)))).map(({ id }) => id)
    const found = view.list({ ...query, limit: 1_000 }).items.map(({ id }) => id)
    if (found.length > 0) hits += 1
    if (found.join() !== expected.join()) t.strictSame(found, expected, JSON.stringify(query))
  }
  t.ok(hits > 50, `${hits} of them find something`)
  t.strictSame(
    view.list({ limit: 1_000 }).items.map(({ id }) => id),
    inOrder(all).map(({ id }) => id),
  )
})

t.test('pages follow one another without gap or repeat, also while others come', async (t) => {
  const view = await filled(t)
  const older = inOrder(all).map(({ id }) => id)
  for (const limit of [1, 7, 400, 401]) {
    const pages = [...pagesOf(view, { limit })]
    t.strictSame(pages.flat(), older)
    t.strictSame(
      pages.slice(0, -1).filter((page) => page.length !== limit),
      [],
      'all but the last are full',
    )
  }
  const pages = pagesOf(view, { limit: 30, states: INVOCATION_STATES })
  const found = [...(pages.next().value ?? [])]
  await new Feeder(view).apply({ calls: [onCalls(callOf('order:new', { acceptedAtMs: NOW_MS + 1e5 }))] })
  for (const page of pages) found.push(...page)
  t.strictSame(found, older)
  t.strictSame(
    view.list({ limit: 1 }).items.map(({ id }) => id),
    ['order:new'],
  )
})

t.test('a page ends early where very much does not match', async (t) => {
  const { view } = openView(t)
  const calls = Array.from({ length: 5_000 }, (_, index) =>
    onCalls(callOf(`order:${index}`, { acceptedAtMs: NOW_MS + index, correlationId: 'same' })),
  )
  const other = callOf('other', { correlationId: 'same', target: TARGETS[3] as string })
  await new Feeder(view).apply({ calls: [onCalls(other), ...calls] })
  const pages = [...pagesOf(view, { limit: 10, correlationId: 'same', target: other.target })]
  t.ok(pages.length > 1)
  t.strictSame(pages.slice(0, -1).flat(), [])
  t.strictSame(pages.at(-1), ['other'])
})

t.test('counts are those of the rows', async (t) => {
  const view = await filled(t)
  const { accepted, byState, directives, ended, nextDueAtMs, queuedSinceMs } = view.counts()
  for (const state of INVOCATION_STATES) {
    t.equal(byState[state], all.filter((one) => one.state === state).length, state)
  }
  const queued = all.filter(({ state }) => state === 'queued').map(({ createdAtMs }) => createdAtMs)
  t.equal(view.oldestWaitingAtMs(), Math.min(...queued))
  t.equal(queuedSinceMs, QUEUED_MS)
  t.equal(nextDueAtMs, NOW_MS + 1e6)
  t.strictSame([accepted, directives], [all.length, 0])
  t.equal(ended, byState.succeeded + byState.failed + byState.expired + byState.cancelled)
  const { view: empty } = openView(t)
  t.strictSame(Object.values(empty.counts().byState), Array(8).fill(0))
  t.strictSame([empty.oldestWaitingAtMs(), empty.counts().queuedSinceMs], [undefined, undefined])
})

t.test('what came due a moment ago has waited since then, however long ago it was created', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const deferred = callOf('deferred', { notBeforeMs: NOW_MS + 1e6 })
  await feeder.apply({ calls: [onCalls(deferred), onCalls(callOf('other'), NOW_MS + 2e6)] })
  t.equal(view.counts().queuedSinceMs, NOW_MS + 2e6)
  await feeder.apply({ calls: [onCalls(deferred, NOW_MS + 1e6 + 7)] })
  t.strictSame([view.counts().queuedSinceMs, view.oldestWaitingAtMs()], [NOW_MS + 1e6 + 7, NOW_MS])
  await feeder.apply({ journal: [onJournal(deferred, { state: 'succeeded' }, answered(200))] })
  t.equal(view.counts().queuedSinceMs, NOW_MS + 2e6)
  await feeder.apply({ journal: [onJournal(callOf('other'), { state: 'running', atMs: NOW_MS + 3e6 })] })
  t.equal(view.counts().queuedSinceMs, undefined, 'what runs does not wait')
})

t.test('cursors and targets that are none', async (t) => {
  const view = await filled(t)
  const { next = '' } = view.list({ limit: 1 })
  const long = Buffer.concat([Buffer.alloc(6), Buffer.alloc(8_192, 1)]).toString('base64url')
  const none = Buffer.alloc(9, 0xff).toString('base64url')
  for (const cursor of ['', 'x', `${next}x`, next.slice(1), `${next}=`, none, long]) {
    t.throws(() => view.list({ limit: 1, cursor }), { code: 'invalid-query' }, cursor.slice(0, 40))
  }
  for (const target of ['', 'x', 'ftp://a/', 'https://', 'https://u:p@a/']) {
    t.throws(() => view.list({ limit: 1, target }), { code: 'invalid-query' }, target)
  }
})
