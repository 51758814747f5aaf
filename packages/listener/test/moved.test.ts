import { type Call, type Directive, encodeCall } from '@posthaste/core'
import type { NewRecord } from '@posthaste/stream'
import t from 'tap'
import { directiveFor, statesOf, write } from './asking.js'
import { gated } from './gate.js'
import { changing, createStorage, plain, startListener, startTarget, submit, until } from './setting.js'

/** What is left behind by whoever has moved a call to a time that has come. */
function movedNow(call: Call): { directive: Directive; record: NewRecord } {
  const dueMs = Date.now()
  const directive = { ...directiveFor(call, { kind: 'move', dueMs, isDone: true }), record: Buffer.alloc(0) }
  const moved = { ...call, move: directive.number, notBeforeMs: dueMs }
  return { directive, record: { key: call.id, value: encodeCall(moved) } }
}

t.test('one that was moved, and the one it was before, come before it is known what was asked', async (t) => {
  const target = await startTarget(t)
  const storage = createStorage(t)
  const gate = gated(await storage.open())
  gate.close()
  t.teardown(() => gate.open())
  const { listener, stream } = await startListener(t, { control: gate.control }, storage)
  const [call] = (await submit(stream, [{ target: target.url }])) as [Call]
  const { directive, record } = movedNow(call)
  await write(stream, directive)
  await stream.append('calls', [record])
  await listener.ping('ping', 0)
  await until(async () => (await listener.report()).pulled === 2)
  gate.open()
  t.match(await listener.ping('ping', 10_000), { drained: true, called: 1, superseded: 1 })
  t.strictSame(await statesOf(stream, call), ['succeeded'])
})

t.test('one that was moved comes while the one it was before is looked up', async (t) => {
  const target = await startTarget(t)
  const storage = createStorage(t)
  const gate = gated(await storage.open())
  gate.close()
  t.teardown(() => gate.open())
  let answer = (): void => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  const { listener, stream } = await startListener(t, { control: gate.control }, storage, (consumer) =>
    changing(consumer, (delivery) => ({
      ...plain(delivery),
      begin: async (turn) => {
        const begun = await delivery.begin(turn)
        await answered
        return begun
      },
    })),
  )
  const [call] = (await submit(stream, [{ target: target.url }])) as [Call]
  const { directive, record } = movedNow(call)
  await write(stream, directive)
  await stream.append('calls', [record])
  await listener.ping('ping', 0)
  await until(async () => (await listener.report()).pulled === 2)
  answer()
  gate.open()
  t.match(await listener.ping('ping', 10_000), { drained: true, called: 1, superseded: 1, repeated: 0 })
  t.strictSame(await statesOf(stream, call), ['succeeded'])
})

t.test('one that was moved comes while the one it was before waits for its target', async (t) => {
  let answer = (): void => {}
  const target = await startTarget(t, ({ url }, response) => {
    if (url === '/') response.end()
    else answer = () => response.end()
  })
  const storage = createStorage(t)
  const gate = gated(await storage.open())
  t.teardown(() => gate.open())
  const options = { control: gate.control, concurrencyPerTarget: 1 }
  const { listener, stream } = await startListener(t, options, storage)
  await submit(stream, [{ target: `${target.url}/busy` }])
  await listener.ping('ping', 0)
  await until(() => target.seen.length === 1)
  const [call] = (await submit(stream, [{ target: `${target.url}/` }])) as [Call]
  await until(async () => (await listener.report()).pulled === 2)
  gate.close()
  const { directive, record } = movedNow(call)
  await write(stream, directive)
  await stream.append('calls', [record])
  await until(async () => (await listener.report()).pulled === 3)
  gate.open()
  await until(async () => (await listener.report()).superseded === 1)
  answer()
  t.match(await listener.ping('ping', 10_000), { drained: true, called: 2, superseded: 1, repeated: 0 })
  t.strictSame(await statesOf(stream, call), ['succeeded'])
})
