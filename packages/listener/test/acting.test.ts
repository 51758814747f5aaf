import { type Call, encodeCall, encodeJournalEntry, journalEntryOf } from '@posthaste/core'
import type { Delivery } from '@posthaste/stream'
import t from 'tap'
import { acted, cancel, entriesOf, statesOf } from './asking.js'
import { changing, plain, startListener, startTarget, submit, until } from './setting.js'

const DAY_MS = 86_400_000

t.test('what is of no use is not begun, unless it is known that its turn ended', async (t) => {
  const target = await startTarget(t)
  const begun: string[] = []
  let ended = false
  const watch = (delivery: Delivery): Delivery => ({
    ...plain(delivery),
    ended,
    begin: (turn) => {
      begun.push(turn.key)
      return delivery.begin(turn)
    },
  })
  const { listener, stream } = await startListener(t, {}, undefined, (consumer) => changing(consumer, watch))
  await listener.ping('ping', 0)
  const calls = await submit(stream, Array(2).fill({ target: target.url, delay: '400ms' }))
  const [first, second] = calls as [Call, Call]
  await until(() => begun.length === 2)
  for (const call of calls) await acted(stream, await cancel(stream, call))
  await until(async () => (await listener.report()).superseded === 2)
  t.strictSame(begun, [first.id, second.id])
  ended = true
  await stream.append('calls', [{ key: first.id, value: encodeCall(first) }])
  await until(async () => (await listener.report()).repeated === 1)
  t.strictSame(begun, [first.id, second.id, first.id])
  t.equal(target.seen.length, 0)
})

t.test('what comes while it is being cancelled waits for that', async (t) => {
  const target = await startTarget(t)
  let go = (): void => {}
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  let isActing = false
  const { listener, stream } = await startListener(t, {}, undefined, (consumer) => ({
    ...changing(consumer, (delivery) => delivery),
    act: async (turn, effects) => {
      isActing = true
      await gate
      return consumer.act(turn, effects)
    },
  }))
  await listener.ping('ping', 0)
  const [call] = (await submit(stream, [{ target: target.url, delay: '500ms' }])) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  const directive = await cancel(stream, call)
  await until(() => isActing)
  await until(async () => (await listener.report()).pulled === 2)
  t.match(await listener.ping('ping', 200), { drained: false, called: 0, superseded: 0 })
  go()
  await acted(stream, directive)
  t.match(await listener.ping('ping', 5_000), { drained: true, called: 0, superseded: 1, cancelled: 1 })
  t.equal(target.seen.length, 0)
})

t.test('a cancellation breaks off an earlier generation, and then is still to be done', async (t) => {
  const target = await startTarget(t, () => {})
  const { listener, stream } = await startListener(t)
  const [old] = (await submit(stream, [{ target: target.url }])) as [Call]
  await listener.ping('ping', 0)
  await until(() => target.open() === 1)
  const [late] = (await submit(stream, [{ target: target.url, delay: '1h' }], { id: old.id, generation: 2 })) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  await acted(stream, await cancel(stream, late))
  t.strictSame(
    (await entriesOf(stream, old)).map(({ generation, state }) => [generation, state]),
    [
      [2, 'scheduled'],
      [1, 'cancelled'],
      [2, 'cancelled'],
    ],
  )
  t.match(await listener.ping('ping', 10_000), { drained: true, called: 1, cancelled: 2 })
})

t.test('what cannot be cancelled at first is cancelled later', async (t) => {
  const target = await startTarget(t)
  const warnings: unknown[] = []
  const log = { debug() {}, info() {}, error() {}, warn: (_: object, text: string) => void warnings.push(text) }
  let failures = 2
  const { listener, stream } = await startListener(t, { log }, undefined, (consumer) => ({
    ...changing(consumer, (delivery) => delivery),
    act: async (turn, effects) => {
      failures -= 1
      if (failures >= 0) throw new Error('not now')
      return consumer.act(turn, effects)
    },
  }))
  await listener.ping('ping', 0)
  const [call] = (await submit(stream, [{ target: target.url, delay: '1h' }])) as [Call]
  await until(async () => (await listener.report()).deferred === 1)
  await acted(stream, await cancel(stream, call))
  t.equal(warnings.length, 2)
  t.strictSame(await statesOf(stream, call), ['scheduled', 'cancelled'])
})

t.test(
  'a cancellation that came after the end of its attempt is of the next one, and kept until that is due',
  async (t) => {
    const target = await startTarget(t)
    const nextAttemptAtMs = Date.now() + 40 * DAY_MS
    const attempts: number[] = []
    const { listener, stream } = await startListener(t, {}, undefined, (consumer) => ({
      ...changing(consumer, (delivery) => delivery),
      act: async (turn, effects) => {
        attempts.push(turn.attempt as number)
        if (attempts.length > 1) return consumer.act(turn, effects)
        return encodeJournalEntry(
          journalEntryOf(call, { atMs: Date.now(), state: 'retrying', nextAttemptAtMs }, undefined),
        )
      },
    }))
    await listener.ping('ping', 0)
    const [call] = (await submit(stream, [{ target: target.url, delay: '1h' }])) as [Call]
    await until(async () => (await listener.report()).deferred === 1)
    const { untilMs } = await acted(stream, await cancel(stream, call))
    t.strictSame(attempts, [1, 2])
    t.ok(untilMs > nextAttemptAtMs)
    t.strictSame(await statesOf(stream, call), ['scheduled', 'cancelled'])
  },
)
