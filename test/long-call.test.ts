import { env } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Backend, embedded, kafka, nats, testOn } from './harness/backends.js'
import { Client } from './harness/client.js'
import { Fleet } from './harness/fleet.js'
import { isFinal, readJournal } from './harness/journal.js'
import { checkpointReached } from './harness/settled.js'
import { TargetServer } from './harness/target-server.js'

// A call that takes far longer than a listener may be silent is made once, although another listener stands ready. In
// full, as operators have it, with POSTHASTE_TEST_LONG=1: three minutes.

const isFull = env.POSTHASTE_TEST_LONG === '1'
const CALL_MS = isFull ? 180_000 : 25_000
const TIME_OUT_MS = CALL_MS + 3_000
/** When a call that was lost would have been made again, by whatever watches over it. */
const WATCHED_MS = TIME_OUT_MS + 10_000
const TEST_MS_MAX = WATCHED_MS + 60_000
const QUICK_EVERY_MS = 100

// A Kafka broker, as it comes, allows no shorter session.
const takeOverMs = { nats: isFull ? 30_000 : 2_000, kafka: isFull ? 30_000 : 6_000, embedded: 0 }

t.setTimeout(TEST_MS_MAX + 60_000)
// They wait most of the time.
t.jobs = 3

for (const backend of [embedded, nats, kafka]) {
  testOn(t, backend, `a call of ${CALL_MS / 1_000} s is made once`, TEST_MS_MAX, callForLong, { buffered: true })
}

async function callForLong(t: Test, backend: Backend): Promise<void> {
  const installation = backend.create(t, { takeOverMs: takeOverMs[backend.name] })
  const target = await TargetServer.start(({ path }) => (path === '/long' ? { delayMs: CALL_MS } : {}))
  t.teardown(() => target.stop())
  const client = new Client()
  t.teardown(() => client.close())
  const fleet = new Fleet(installation)
  t.teardown(() => fleet.crash(fleet.members))
  await fleet.start(['accepter', 'listener-1', 'listener-2'])
  const url = fleet.process('accepter').url
  const post = (path: string, timeoutMs: number) =>
    client.accept(url, { target: `${target.url}/${path}`, timeout: `${timeoutMs}ms` })

  const startedMs = Date.now()
  const long = await post('long', TIME_OUT_MS)
  const quick: string[] = []
  while (Date.now() - startedMs < CALL_MS) {
    quick.push(await post('quick', 5_000))
    await sleep(QUICK_EVERY_MS)
  }
  await sleep(startedMs + WATCHED_MS - Date.now())
  await checkpointReached(fleet.listeners, 15_000).catch((error: Error) => t.fail(error.message))
  await fleet.stop()

  const calls = target.of(long)
  t.equal(calls.length, 1, 'it is called once')
  t.ok(calls[0]?.answered, 'and its answer is heard')
  const times = new Map<string, number>()
  for (const { id } of target.arrivals) times.set(id, (times.get(id) ?? 0) + 1)
  t.strictSame(
    quick.filter((id) => times.get(id) !== 1),
    [],
    `${quick.length} others are called meanwhile, once each`,
  )
  const journal = await readJournal(installation)
  t.strictSame(
    journal.filter(({ id }) => id === long).map(({ attempt, state }) => ({ attempt, state })),
    [{ attempt: 1, state: 'succeeded' }],
    'it has one entry',
  )
  t.equal(journal.filter(isFinal).length, quick.length + 1, 'so has each other')
}
