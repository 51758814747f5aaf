import { type Call, type Directive, directiveKey, type Log, PosthasteError, Sealer } from '@posthaste/core'
import { type Delivery, SealedStream } from '@posthaste/stream'
import t from 'tap'
import type { ControlLog } from '../src/index.js'
import { acted, cancel, directiveFor, readControl, readControlKeys, statesOf, write } from './asking.js'
import { gated } from './gate.js'
import {
  changing,
  createStorage,
  finalStates,
  plain,
  readJournal,
  silent,
  startListener,
  startTarget,
  submit,
  until,
} from './setting.js'

const DAY_MS = 86_400_000
/** Longer than it trusts what it heard last. */
const FROZEN_MS = 2_100

t.test('who does not hear what is asked calls nothing until it does', async (t) => {
  const target = await startTarget(t)
  const storage = createStorage(t)
  const gate = gated(await storage.open())
  t.teardown(() => gate.open())
  const { listener, stream } = await startListener(t, { control: gate.control }, storage)
  await submit(stream, [{ target: target.url }])
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 1 })
  gate.close()
  const closedAtMs = Date.now()
  let submitted = 1
  for (; Date.now() < closedAtMs + 3_000; submitted += 1) {
    await submit(stream, [{ target: target.url }])
    await listener.ping('ping', 50)
  }
  // What it heard last it trusts for two seconds.
  const trustedMs = (target.seen.at(-1)?.atMs ?? 0) - closedAtMs
  t.ok(trustedMs > 500 && trustedMs < 2_300, `the last call ${trustedMs} ms after it heard nothing more`)
  const called = target.seen.length
  const [wanted, unwanted, deferred] = (await submit(stream, [
    { target: target.url },
    { target: target.url },
    { target: target.url, delay: '1h' },
  ])) as [Call, Call, Call]
  await cancel(stream, unwanted)
  await until(async () => (await listener.report()).pulled === submitted + 3)
  t.match(await listener.ping('ping', 200), { drained: false, called, cancelled: 0 })
  t.equal(target.seen.length, called)

  gate.open()
  t.match(await listener.ping('ping', 5_000), { drained: true, called: submitted + 1, cancelled: 1, deferred: 1 })
  const ids = target.seen.map(({ headers }) => headers['posthaste-id'])
  t.ok(ids.includes(wanted.id) && !ids.includes(unwanted.id))
  const journal = await readJournal(stream)
  t.strictSame(
    [unwanted, deferred].map(({ id }) => journal.filter((entry) => entry.id === id).map(({ state }) => state)),
    [['cancelled'], ['scheduled']],
  )
})

t.test('who is frozen right before a request is written does not write it before it hears more', async (t) => {
  const target = await startTarget(t)
  const storage = createStorage(t)
  const gate = gated(await storage.open())
  t.teardown(() => gate.open())
  let looks = 0
  const freezing = (delivery: Delivery): Delivery => ({
    ...plain(delivery),
    held() {
      looks += 1
      // At first it is asked when the call is to start.
      if (looks === 2) {
        gate.close()
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FROZEN_MS)
      }
      return delivery.held()
    },
  })
  const { listener, stream } = await startListener(t, { control: gate.control }, storage, (consumer) =>
    changing(consumer, freezing),
  )
  await listener.ping('ping', 1_000)
  await submit(stream, [{ target: target.url }])
  // It is not called, but waits and is looked at again.
  await until(() => looks > 2)
  t.equal(target.seen.length, 0)
  gate.open()
  t.match(await listener.ping('ping', 10_000), { drained: true, called: 1 })
})

t.test('what is out of time has not expired before it is known what was asked of it', async (t) => {
  const target = await startTarget(t)
  const storage = createStorage(t)
  const stream = await storage.open()
  const call = (await submit(stream, [{ target: target.url, expiresIn: '1ms', onFailure: target.url }]))[0] as Call
  await cancel(stream, call)
  await until(() => Date.now() > (call.expiresAtMs as number))
  const gate = gated(stream)
  gate.close()
  t.teardown(() => gate.open())
  const { listener } = await startListener(t, { control: gate.control }, storage)
  t.match(await listener.ping('ping', 500), { pulled: 1, drained: false })
  gate.open()
  t.match(await listener.ping('ping', 10_000), { drained: true, cancelled: 1, expired: 0 })
  t.strictSame(await statesOf(stream, call), ['cancelled'])
})

t.test('what hears nothing from the start calls nothing, and says so after a while', async (t) => {
  const target = await startTarget(t)
  const storage = createStorage(t)
  const gate = gated(await storage.open())
  gate.fail(new PosthasteError('stream-unavailable', 'It is away.'))
  t.teardown(() => gate.open())
  const { listener, stream } = await startListener(t, { control: gate.control }, storage)
  await submit(stream, [{ target: target.url }])
  const startedMs = performance.now()
  const { blocked, drained } = await listener.ping('ping', 60_000)
  t.match({ blocked, drained }, { blocked: 'What is asked of invocations cannot be read. It is away.', drained: false })
  t.ok(performance.now() - startedMs < 20_000)
  t.equal(target.seen.length, 0)
  gate.open()
  await until(() => target.seen.length === 1)
  t.equal(listener.blocked, undefined)
})

t.test('what cannot be followed is followed again, and said once', async (t) => {
  const target = await startTarget(t)
  const errors: unknown[] = []
  const log: Log = { ...silent, error: (details) => void errors.push(details) }
  const storage = createStorage(t)
  const gate = gated(await storage.open())
  gate.fail(new Error('no control'))
  const { listener, stream } = await startListener(t, { control: gate.control, log }, storage)
  await submit(stream, [{ target: target.url }])
  t.match(await listener.ping('ping', 1_500), { drained: false, called: 0 })
  t.match(errors, [{ err: { message: 'no control' } }])
  gate.open()
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 1 })
  gate.fail(new Error('again'))
  await until(() => errors.length === 2)
})

t.test('where nobody owns a key, others are given the time to act first', async (t) => {
  const target = await startTarget(t)
  const storage = createStorage(t)
  const stream = await storage.open()
  const control: ControlLog = {
    supports: { owners: false },
    append: (log, records) => stream.append(log, records),
    follow: (log, from, options) => stream.follow(log, from, options),
  }
  const { listener } = await startListener(t, { control }, storage)
  await listener.ping('ping', 0)
  const [running, deferred] = (await submit(stream, [
    { target: `${target.url}/deferred`, delay: '1h' },
    { target: `${target.url}/deferred`, delay: '1h' },
  ])) as [Call, Call]
  await until(async () => (await listener.report()).deferred === 2)
  const startedMs = performance.now()
  await Promise.all([running, deferred].map(async (call) => acted(stream, await cancel(stream, call))))
  const tookMs = performance.now() - startedMs
  t.ok(tookMs >= 2_500, `${tookMs} ms`)
})

t.test('a directive is forgotten when its time is over, by whoever is there', async (t) => {
  const target = await startTarget(t)
  let passedMs = 0
  const clock = { now: () => Date.now() + passedMs }
  const { listener, stream } = await startListener(t, { clock })
  await listener.ping('ping', 0)
  const [soon, late] = (await submit(stream, [
    { target: target.url, delay: '1h' },
    { target: target.url, delay: '20d' },
  ])) as [Call, Call]
  await until(async () => (await listener.report()).deferred === 2)
  for (const call of [soon, late]) await acted(stream, await cancel(stream, call))
  passedMs = 31 * DAY_MS
  await until(async () => !(await readControl(stream)).has(soon.id))
  t.ok((await readControl(stream)).has(late.id))
})

t.test('what cannot be read is passed over', async (t) => {
  const target = await startTarget(t)
  const errors: unknown[] = []
  const log: Log = { ...silent, error: (details) => void errors.push(details) }
  const { listener, stream } = await startListener(t, { log })
  await listener.ping('ping', 0)
  await stream.append('control', [{ key: 'a', value: Buffer.from('no directive') }])
  const [call] = (await submit(stream, [{ target: target.url, delay: '1h' }])) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  await cancel(stream, call)
  await finalStates(stream, 1)
  t.match(errors, [{ id: 'a', err: { code: 'record-unreadable' } }])
})

t.test('what is sealed is not passed over: nothing is called', async (t) => {
  const target = await startTarget(t)
  const errors: unknown[] = []
  const log: Log = { ...silent, error: (details) => void errors.push(details) }
  const storage = createStorage(t)
  const stream = await storage.open()
  const [call] = (await submit(stream, [{ target: target.url }])) as [Call]
  // Accepters have keys already, and this listener has none.
  const sealer = new Sealer([{ id: 'a', bytes: new Uint8Array(32) }])
  await cancel(new SealedStream(stream, sealer), call)
  const { listener } = await startListener(t, { log }, storage)
  t.match(await listener.ping('ping', 1_000), { drained: false, called: 0 })
  t.match(errors, [{ err: { code: 'sealed', message: /the key "a"/ } }])
})

t.test('a directive that came to lie under an older one is written again', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t)
  await listener.ping('ping', 0)
  const [call] = (await submit(stream, [{ target: target.url, delay: '1h' }])) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  const [older, newer] = [1, 2].map((hours) => {
    return directiveFor(call, { kind: 'move', dueMs: Date.now() + hours * 3_600_000 })
  }) as [Directive, Directive]
  await write(stream, newer)
  await acted(stream, newer)
  await write(stream, { ...older, isDone: true })
  await acted(stream, newer)
  await stream.append('control', [{ key: directiveKey(newer), value: new Uint8Array(0) }])
  await acted(stream, newer)
  t.strictSame(await statesOf(stream, call), ['scheduled', 'scheduled'])
})

t.test('a cancellation that was forgotten leaves nothing behind of a move that came upon it', async (t) => {
  const target = await startTarget(t)
  let passedMs = 0
  const clock = { now: () => Date.now() + passedMs }
  const { listener, stream } = await startListener(t, { clock })
  await listener.ping('ping', 0)
  const [call] = (await submit(stream, [{ target: target.url, delay: '1h' }])) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  const move = directiveFor(call, { kind: 'move', dueMs: Date.now() })
  const cancelling = directiveFor(call, { kind: 'cancel' })
  await write(stream, cancelling, move)
  await acted(stream, cancelling)
  t.equal((await readControlKeys(stream)).size, 2)
  passedMs = 31 * DAY_MS
  await until(async () => (await readControlKeys(stream)).size === 0)
  t.strictSame(await statesOf(stream, call), ['scheduled', 'cancelled'])
  t.equal(target.seen.length, 0)
})

t.test('a stop ends all that is asked and followed, also where it is silent', async (t) => {
  const storage = createStorage(t)
  const gate = gated(await storage.open())
  const { listener, stream } = await startListener(t, { control: gate.control }, storage)
  await listener.ping('ping', 1_000)
  const [call] = (await submit(stream, [{ target: 'http://127.0.0.1:1/', delay: '1h' }])) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  const startedMs = performance.now()
  await listener.stop(0)
  t.ok(performance.now() - startedMs < 5_000)
  await cancel(stream, call)
  await new Promise((resolve) => setTimeout(resolve, 500))
  t.strictSame(
    (await readJournal(stream)).map(({ state }) => state),
    ['scheduled'],
  )
  t.equal((await finalStates(stream, 0)).length, 0)
})
