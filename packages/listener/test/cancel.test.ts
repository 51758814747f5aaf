import { setTimeout as sleep } from 'node:timers/promises'
import type { Call } from '@posthaste/core'
import type { Delivery } from '@posthaste/stream'
import t from 'tap'
import { acted, ask, cancel, directiveFor, entriesOf, readControl, statesOf, write } from './asking.js'
import {
  changing,
  createStorage,
  finalStates,
  plain,
  readJournal,
  startListener,
  startTarget,
  submit,
  until,
} from './setting.js'

const STEADY = { jitter: 'none', factor: 1 } as const

t.test('what waits for its target here is cancelled, and what is behind it is called', async (t) => {
  const answers: (() => void)[] = []
  const target = await startTarget(t, (_, response) => void answers.push(() => response.end()))
  const { listener, stream } = await startListener(t, { concurrencyPerTarget: 1 })
  const calls = await submit(
    stream,
    ['first', 'second', 'third'].map((path) => ({ target: `${target.url}/${path}`, forwardTo: `${target.url}/told` })),
  )
  const [, second] = calls as [Call, Call, Call]
  await listener.ping('ping', 0)
  await until(() => answers.length === 1)
  const directive = await acted(stream, await cancel(stream, second))
  t.equal(target.seen.length, 1, 'nothing had to come first')
  const [entry] = await entriesOf(stream, second)
  t.match(entry, { state: 'cancelled', attempt: 1, listener: 'test', failure: { code: 'cancelled' } })
  t.ok((entry?.record.length ?? 0) > 0, 'its record is kept')
  t.notOk(entry?.forward, 'nobody is told')
  t.ok(directive.untilMs < Date.now() + 3_600_000, 'nothing more will come of it')
  const answering = setInterval(() => answers.shift()?.(), 5)
  t.teardown(() => clearInterval(answering))
  await until(() => target.seen.length === 4)
  t.match(await listener.ping('ping', 10_000), { drained: true, cancelled: 1, succeeded: 4 })
  t.strictSame(target.seen.map(({ url }) => url).sort(), ['/first', '/third', '/told', '/told'])
})

t.test('what is in line and not read is cancelled before its turn comes', async (t) => {
  const target = await startTarget(t)
  let isOpen = true
  const { listener, stream } = await startListener(t, {}, undefined, (consumer) => ({
    ...changing(consumer, (delivery) => delivery),
    pull: async (options) => (isOpen ? consumer.pull(options) : sleep(options.waitMs, [], options).catch(() => [])),
  }))
  await submit(stream, [{ target: target.url }])
  await listener.ping('ping', 5_000)
  isOpen = false
  // It ends the pull that may be under way.
  await listener.ping('ping', 10)
  const [first, second] = (await submit(stream, Array(2).fill({ target: target.url }))) as [Call, Call]
  await acted(stream, await cancel(stream, second))
  t.strictSame(await statesOf(stream, second), ['cancelled'])
  t.match(await listener.report(), { pulled: 1, cancelled: 1 })

  isOpen = true
  t.match(await listener.ping('ping', 10_000), { drained: true, pulled: 3, cancelled: 1, superseded: 1, called: 2 })
  t.strictSame(await statesOf(stream, second), ['cancelled'])
  t.equal(target.seen[1]?.headers['posthaste-id'], first.id)
})

t.test('what is deferred is cancelled at once, and dropped when it comes', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const [soon, late] = (await submit(stream, [
    { target: target.url, delay: '700ms' },
    { target: target.url, delay: '1h' },
  ])) as [Call, Call]
  await until(async () => (await readJournal(stream)).length === 2)
  const directives = [await cancel(stream, soon), await cancel(stream, late)] as const
  for (const directive of directives) await acted(stream, directive)
  t.ok(Date.now() < (soon.notBeforeMs as number), 'before it came')
  for (const call of [soon, late]) t.strictSame(await statesOf(stream, call), ['scheduled', 'cancelled'])
  await until(async () => (await listener.report()).superseded === 1)
  t.match(await listener.ping('ping', 5_000), { drained: true, cancelled: 2, called: 0 })
  t.equal(target.seen.length, 0)
  await until(async () => ((await readControl(stream)).get(soon.id)?.untilMs ?? 0) < Date.now() + 3_600_000)
  const kept = (await readControl(stream)).get(late.id)
  t.equal(kept?.untilMs, directives[1].untilMs, 'its record is still to come')
  t.equal(kept?.record.length, 0)
})

t.test('what waits for its next attempt is cancelled, whichever attempt was meant', async (t) => {
  const target = await startTarget(t, (_, response) => response.writeHead(503).end())
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const calls = await submit(
    stream,
    Array(2).fill({ target: target.url, retry: { ...STEADY, initialDelay: '1s', maxAttempts: 5 } }),
  )
  const [known, behind] = calls as [Call, Call]
  await until(async () => (await readJournal(stream)).length === 2)
  await acted(stream, await ask(stream, { ...known, attempt: 2 }, { kind: 'cancel' }))
  await acted(stream, await cancel(stream, behind))
  for (const call of calls) {
    const entries = await entriesOf(stream, call)
    t.strictSame(
      entries.map(({ attempt, state }) => [attempt, state]),
      [
        [1, 'retrying'],
        [2, 'cancelled'],
      ],
    )
  }
  await until(async () => (await listener.report()).superseded === 2)
  t.equal(target.seen.length, 2)
})

t.test('a call that runs is broken off, checked out or not', async (t) => {
  const target = await startTarget(t, () => {})
  const leaving = new Set<string>()
  const leave = (delivery: Delivery): Delivery => ({
    ...plain(delivery),
    get leaving() {
      return leaving.has(delivery.record.key)
    },
  })
  const running = await startListener(t, {}, undefined, (consumer) => changing(consumer, leave))
  const { listener, stream } = running
  const calls = (await submit(stream, Array(2).fill({ target: target.url, timeout: '1m' }))) as [Call, Call]
  await listener.ping('ping', 0)
  await until(() => target.open() === 2)
  leaving.add(calls[1].id)
  await until(async () => (await listener.report()).checkedOut === 1)
  await until(async () => (await readJournal(stream)).length === 1)
  const [note] = await readJournal(stream)
  t.match(note, { id: calls[1].id, state: 'running', listener: 'test' }, 'a note says that it goes on')
  t.ok(note?.startedAtMs)

  for (const call of calls) await acted(stream, await cancel(stream, call))
  await until(() => target.open() === 0)
  for (const call of calls) {
    const entry = (await entriesOf(stream, call)).at(-1)
    t.match(entry, { state: 'cancelled', attempt: 1, listener: 'test', failure: { code: 'cancelled' } })
    t.ok(entry?.startedAtMs && entry.durationMs, 'when it began, and how long it ran')
  }
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 2, cancelled: 2, lost: 0 })
  t.equal(target.seen.length, 2)
})

t.test('what has ended stays as it is', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  const [call] = (await submit(stream, [{ target: target.url }])) as [Call]
  await listener.ping('ping', 5_000)
  const directive = await acted(stream, await cancel(stream, call))
  t.ok(directive.tooLate !== undefined, 'which says so')
  t.strictSame(await statesOf(stream, call), ['succeeded'])
  t.match(await listener.report(), { cancelled: 0, succeeded: 1 })
})

t.test('a call that ends as it is cancelled has one end', async (t) => {
  const answers = new Map<string, () => void>()
  const target = await startTarget(t, ({ headers }, response) => {
    answers.set(headers['posthaste-id'] as string, () => response.end())
  })
  const { listener, stream } = await startListener(t, { concurrencyPerTarget: 64 })
  // The target earns its places first.
  const early = setInterval(() => answers.forEach((answer) => void answer()), 5)
  await submit(stream, Array(100).fill({ target: target.url }))
  await listener.ping('ping', 10_000)
  clearInterval(early)
  const calls = await submit(stream, Array(40).fill({ target: target.url }))
  await listener.ping('ping', 0)
  await until(() => target.open() === 40)
  await Promise.all(
    calls.map(async (call, index) => {
      const asking = cancel(stream, call)
      await new Promise((resolve) => setTimeout(resolve, 2 * index))
      answers.get(call.id)?.()
      await acted(stream, await asking)
    }),
  )
  t.match(await listener.ping('ping', 5_000), { drained: true })
  for (const call of calls) t.equal((await statesOf(stream, call)).length, 1)
  const { cancelled, succeeded } = await listener.report()
  t.comment(`${cancelled} of 40 were cancelled`)
  t.equal(cancelled + succeeded, 140)
})

t.test('very many are cancelled at once', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const calls = await submit(stream, Array(1_300).fill({ target: target.url, delay: '1h' }))
  await until(async () => (await listener.report()).deferred === calls.length)
  await write(stream, ...calls.map((call) => directiveFor(call, { kind: 'cancel' })))
  const finals = await finalStates(stream, calls.length)
  t.equal(new Set(finals.map(({ id }) => id)).size, calls.length)
  t.ok(finals.every(({ state }) => state === 'cancelled'))
  await until(async () => [...(await readControl(stream)).values()].every(({ isDone }) => isDone))
  // The last are counted a moment after they are written.
  await until(async () => (await listener.report()).cancelled === calls.length)
  t.match(await listener.report(), { cancelled: calls.length, called: 0 })
})

t.test('what was cancelled while no listener was there is not called', async (t) => {
  const target = await startTarget(t)
  const storage = createStorage(t)
  const { consumer, listener, stream } = await startListener(t, {}, storage)
  await listener.ping('ping', 0)
  const [done, deferred] = (await submit(stream, Array(2).fill({ target: target.url, delay: '600ms' }))) as [Call, Call]
  await until(async () => (await listener.report()).deferred === 2)
  await acted(stream, await cancel(stream, done))
  await listener.stop(0)
  await consumer.stop()

  const [line, other] = (await submit(stream, Array(2).fill({ target: target.url }))) as [Call, Call]
  await cancel(stream, deferred)
  await cancel(stream, line)
  await until(() => Date.now() > (deferred.notBeforeMs as number))
  const next = await startListener(t, {}, storage)
  t.match(await next.listener.ping('ping', 10_000), { drained: true, called: 1, succeeded: 1 })
  t.strictSame(
    target.seen.map(({ headers }) => headers['posthaste-id']),
    [other.id],
  )
  for (const call of [done, deferred, line]) t.equal((await statesOf(stream, call)).at(-1), 'cancelled')
})

t.test('who stands by does nothing, and does it once it owns the calls', async (t) => {
  const target = await startTarget(t)
  const storage = createStorage(t)
  const owner = await startListener(t, {}, storage)
  await owner.listener.ping('ping', 0)
  const [call] = (await submit(owner.stream, [{ target: target.url, delay: '1h' }])) as [Call]
  await until(async () => (await owner.listener.report()).deferred === 1)
  const other = await startListener(t, {}, storage)
  await other.listener.ping('ping', 100)
  await owner.listener.stop(0)
  const directive = await cancel(owner.stream, call)
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.strictSame(await statesOf(owner.stream, call), ['scheduled'])
  await owner.consumer.stop()
  await acted(owner.stream, directive)
  t.strictSame(await statesOf(owner.stream, call), ['scheduled', 'cancelled'])
  await until(async () => (await other.listener.report()).cancelled === 1)
})

t.test('only the generation that was meant is cancelled', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const [old] = (await submit(stream, [{ target: target.url, delay: '1h' }])) as [Call]
  await acted(stream, await cancel(stream, old))
  await submit(stream, [{ target: target.url }], { id: old.id, generation: 2 })
  await finalStates(stream, 2)
  t.strictSame(await statesOf(stream, old), ['scheduled', 'cancelled', 'succeeded'])
  t.equal(target.seen.length, 1)
})

t.test('what nobody knows the record of is cancelled all the same', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const [call] = (await submit(stream, [{ target: target.url, delay: '400ms' }])) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  await acted(stream, await ask(stream, call, { kind: 'cancel', record: new Uint8Array(0) }))
  const [, entry] = await entriesOf(stream, call)
  t.match(entry, { state: 'cancelled', generation: 1, attempt: 1, listener: 'test' })
  await until(async () => (await listener.report()).superseded === 1)
  t.equal(target.seen.length, 0)
})
