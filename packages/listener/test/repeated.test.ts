import { encodeJournalEntry, journalEntryOf } from '@posthaste/core'
import type { Begun, Consumer, Delivery } from '@posthaste/stream'
import t from 'tap'
import { changing, finalStates, plain, startListener, startTarget, submit, until } from './setting.js'

const NOW_MS = Date.now()
/** So many records may wait at first. */
const FIRST_MAX = 128

/** A consumer whose deliveries say of a first attempt what `answers` says for the id. */
function knowing(consumer: Consumer, answers: ReadonlyMap<string, Begun | Promise<Begun>>): Consumer {
  return changing(consumer, (delivery) => ({
    ...plain(delivery),
    begin: (turn) => (turn.attempt === 1 && answers.get(turn.key)) || delivery.begin(turn),
  }))
}

t.test('a turn that is known is not called again, and what follows from it is there', async (t) => {
  const target = await startTarget(t)
  const answers = new Map<string, Begun | Promise<Begun>>()
  const { listener, stream } = await startListener(t, {}, undefined, (consumer) => knowing(consumer, answers))
  const retry = { maxAttempts: 3 }
  const [fresh, slow, copy, ended, retried] = await submit(stream, [
    { target: `${target.url}/fresh` },
    { target: `${target.url}/slow` },
    { target: `${target.url}/copy` },
    { target: `${target.url}/ended`, forwardTo: `${target.url}/forward` },
    { target: `${target.url}/retried`, retry },
  ])
  if (!fresh || !slow || !copy || !ended || !retried) throw new Error('five were asked for')
  const entryOf = (call: typeof fresh, what: Parameters<typeof journalEntryOf>[1]): Uint8Array =>
    encodeJournalEntry(journalEntryOf(call, what, undefined))
  answers.set(slow.id, new Promise((resolve) => setTimeout(() => resolve('fresh'), 50)))
  answers.set(copy.id, 'copy')
  answers.set(ended.id, Promise.resolve(entryOf(ended, { atMs: NOW_MS, state: 'failed' })))
  answers.set(retried.id, entryOf(retried, { atMs: NOW_MS, state: 'retrying', nextAttemptAtMs: Date.now() + 100 }))

  await listener.ping('ping', 0)
  await finalStates(stream, 4)
  t.strictSame(target.seen.map(({ url }) => url).sort(), ['/forward', '/fresh', '/retried', '/slow'])
  const retriedCall = target.seen.find(({ url }) => url === '/retried')
  t.equal(retriedCall?.headers['posthaste-attempt'], '2', 'the attempt that the journal speaks of')
  t.equal(target.seen.find(({ url }) => url === '/forward')?.headers['posthaste-state'], 'failed')
  t.match(await listener.ping('ping', 10_000), {
    drained: true,
    repeated: 3,
    called: 4,
    succeeded: 4,
    retrying: 0,
  })
})

t.test('records whose turn is being looked up take the room of those that wait', async (t) => {
  const target = await startTarget(t)
  let answer = (): void => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  const slow = (delivery: Delivery): Delivery => ({
    ...plain(delivery),
    begin: (turn) => answered.then(() => delivery.begin(turn)),
  })
  const { listener, stream } = await startListener(t, {}, undefined, (consumer) => changing(consumer, slow))
  await submit(stream, Array(1_000).fill({ target: target.url }))
  await listener.ping('ping', 0)
  await until(async () => (await listener.report()).pulled >= FIRST_MAX)
  t.match(await listener.ping('ping', 200), { drained: false, pulled: FIRST_MAX })
  answer()
  await finalStates(stream, 1_000)
  const { pulled, spilled, ...report } = await listener.ping('ping', 10_000)
  t.match(report, { drained: true, called: 1_000, succeeded: 1_000, repeated: 0, lost: 0 })
  t.equal(pulled - spilled, 1_000)
  t.equal(target.seen.length, 1_000)
})
