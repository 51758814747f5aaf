import type { Delivery } from '@posthaste/stream'
import t from 'tap'
import { changing, finalStates, plain, startListener, startTarget, submit, until } from './setting.js'

t.test('a target has no more calls at once than its share, and comes to have as many', async (t) => {
  const target = await startTarget(t, (_, response) => setTimeout(() => response.end(), 20))
  const { listener, stream } = await startListener(t, { concurrencyPerTarget: 8 })
  await submit(stream, Array(150).fill({ target: target.url }))
  await listener.ping('ping', 0)
  await finalStates(stream, 150)
  t.equal(target.openMax(), 8)
  t.equal(target.seen.length, 150, 'each was called once')
})

t.test('a share of one means one after the other', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, { concurrencyPerTarget: 1 })
  const calls = await submit(
    stream,
    Array.from({ length: 30 }, (_, index) => ({ target: `${target.url}/${index}` })),
  )
  await listener.ping('ping', 0)
  await finalStates(stream, calls.length)
  t.equal(target.openMax(), 1)
  t.strictSame(
    target.seen.map(({ url }) => url),
    calls.map((_, index) => `/${index}`),
    'in the order in which they were accepted',
  )
})

t.test('a listener has no more calls at once than it may, whatever the targets', async (t) => {
  let open = 0
  let most = 0
  const targets = await Promise.all(
    Array.from({ length: 12 }, () =>
      startTarget(t, (_, response) => {
        open += 1
        most = Math.max(most, open)
        setTimeout(() => {
          open -= 1
          response.end()
        }, 10)
      }),
    ),
  )
  const { listener, stream } = await startListener(t, { concurrency: 6 })
  await submit(
    stream,
    targets.flatMap(({ url }) => Array(10).fill({ target: url })),
  )
  await listener.ping('ping', 0)
  await finalStates(stream, 120)
  t.ok(most <= 6 && most >= 4, `${most} at once`)
  t.ok(targets.every(({ seen }) => seen.length === 10))
})

t.test('targets that hang hold up neither a target that answers nor each other', async (t) => {
  const hanging = await Promise.all(Array.from({ length: 3 }, () => startTarget(t, () => {})))
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, { concurrency: 32 })
  await submit(
    stream,
    hanging.flatMap(({ url }) => Array(40).fill({ target: url, timeout: '1m' })),
  )
  await submit(stream, Array(40).fill({ target: target.url }))
  await listener.ping('ping', 0)
  const startedMs = performance.now()
  await finalStates(stream, 40)
  const tookMs = performance.now() - startedMs
  t.ok(tookMs < 1_500, `40 calls in ${tookMs} ms`)
  await until(() => hanging.every(({ seen }) => seen.length > 0))
  t.equal(target.seen.length, 40)
})

t.test('however many targets hang, those that answer go on, and pulling does not stop', async (t) => {
  const hanging = await Promise.all(Array.from({ length: 500 }, () => startTarget(t, () => {})))
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, { concurrency: 128 })
  // It answers before the others come: places are kept for it. Without them it waits for a minute.
  await submit(stream, [{ target: target.url }])
  await listener.ping('ping', 5_000)
  const instructions = hanging.flatMap(({ url }) => [{ target: url, timeout: '1m' }, { target: target.url }])
  await submit(stream, Array(10).fill(instructions).flat())
  await listener.ping('ping', 0)
  await until(() => target.seen.length === 1 + 5_000, 40_000)
})

t.test('a call that has a place starts at once, however long another takes', async (t) => {
  const target = await startTarget(t, ({ url }, response) => {
    setTimeout(() => response.end(), url === '/long' ? 8_000 : 0)
  })
  const { listener, stream } = await startListener(t, { concurrencyPerTarget: 2 })
  await submit(stream, Array(4).fill({ target: `${target.url}/first` }))
  await listener.ping('ping', 0)
  await until(() => target.seen.length === 4)
  await submit(stream, [{ target: `${target.url}/long` }])
  await until(() => target.seen.length === 5)
  // By now its silence is so long that a call without a place would be moved aside.
  await new Promise((resolve) => setTimeout(resolve, 5_000))
  await submit(stream, [{ target: `${target.url}/quick` }])
  const startedMs = performance.now()
  await until(() => target.seen.some(({ url }) => url === '/quick'))
  t.ok(performance.now() - startedMs < 5_000, 'called at once')
  t.equal((await listener.report()).spilled, 0)
})

t.test('what waits for a stuck target is moved aside unread, unless it may be in other hands', async (t) => {
  const target = await startTarget(t, () => {})
  const begun = new Set<string>()
  let held = true
  const change = (delivery: Delivery): Delivery => ({
    ...plain(delivery),
    held: () => held,
    begin: (turn) => {
      begun.add(turn.key)
      return delivery.begin(turn)
    },
  })
  const { listener, stream } = await startListener(t, { concurrencyPerTarget: 1 }, undefined, (consumer) =>
    changing(consumer, change),
  )
  const instructions = [{ target: target.url, timeout: '1m' }]
  await submit(stream, instructions)
  await listener.ping('ping', 0)
  await until(() => target.open() === 1)
  // By now its silence is so long that nothing may wait for it.
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  await submit(stream, instructions)
  await until(async () => (await listener.report()).spilled === 1)
  t.equal(begun.size, 1, 'only what was called')

  held = false
  const [call] = await submit(stream, instructions)
  await until(() => begun.has(call?.id as string))
  t.equal((await listener.report()).spilled, 1)
})
