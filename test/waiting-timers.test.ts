import { setTimeout as sleep } from 'node:timers/promises'
import { createId, encodeCall } from '@posthaste/core'
import t, { type Test } from 'tap'
import { type Backend, brokers, embedded, testOn } from './harness/backends.js'
import { Client } from './harness/client.js'
import { Fleet } from './harness/fleet.js'
import { type Installation, withStream } from './harness/installation.js'
import { checkpointReached } from './harness/settled.js'
import { TargetServer } from './harness/target-server.js'

// Timers that wait are neither removed with the calls that are done, nor forgotten or doubled while nobody listens.

const CALLS = 20_000
const APPEND_RECORDS = 2_000
/** The one that counts is the first that is due once the calls are removed: how long that takes is the machine's. */
const DELAYS_S = [15, 40, 80]
const CALLED_MS_MAX = 70_000
/** Of the calls that are done, so many may still be there: a log is not cut at every record. */
const LEFT_MAX = CALLS / 10
const LATE_MS_MAX = 10_000

const DUE = 300
const LISTENERS = ['listener-1', 'listener-2', 'listener-3'] as const

t.setTimeout(580_000)

for (const backend of [embedded, ...brokers]) {
  testOn(t, backend, `${CALLS} calls are removed behind an older timer`, 120_000, removeCalls)
}
for (const broker of brokers) {
  testOn(t, broker, 'timers that come due while every listener is down', 90_000, comeDueUnheard)
}

async function removeCalls(t: Test, backend: Backend): Promise<void> {
  const { client, fleet, installation, target } = await setUp(t, backend)
  await fleet.start(['start'])
  const { url } = fleet.process('start')
  const timers = await Promise.all(
    DELAYS_S.map(async (delayS) => {
      const dueMs = Date.now() + delayS * 1_000
      const notBefore = new Date(dueMs).toISOString()
      return { dueMs, id: await client.accept(url, { target: `${target.url}/timer`, notBefore }) }
    }),
  )
  await checkpointReached(fleet.listeners, 10_000)

  await appendCalls(installation, `${target.url}/quick`)
  const quickCount = (): number =>
    target.arrivals.length - target.arrivals.filter(({ path }) => path === '/timer').length
  await target.until(() => quickCount() === CALLS, CALLED_MS_MAX)
  const left = await removed(installation)
  const removedMs = Date.now()
  t.comment(`${left} calls are left`)

  const timer = timers.find(({ dueMs }) => dueMs > removedMs)
  if (!timer) throw new Error('The calls were removed too late for every timer.')
  await target.until(() => target.of(timer.id).length > 0, timer.dueMs + LATE_MS_MAX - Date.now())
  const lateMs = (target.of(timer.id)[0]?.atMs as number) - timer.dueMs
  t.ok(lateMs >= 0, `the older timer is called, ${lateMs} ms late`)
  await checkpointReached(fleet.listeners, 10_000)
  await fleet.stop()
  for (const { dueMs, id } of timers)
    t.equal(target.of(id).length, dueMs <= timer.dueMs ? 1 : 0, 'none is called twice')
  t.equal(quickCount(), CALLS, 'nor is any of the calls')
}

async function comeDueUnheard(t: Test, backend: Backend): Promise<void> {
  const { client, fleet, target } = await setUp(t, backend)
  await fleet.start(['accepter', ...LISTENERS])
  const { url } = fleet.process('accepter')
  const firstMs = Date.now() + 6_000
  const due = await Promise.all(
    Array.from({ length: DUE }, async (_, number) => {
      const dueMs = firstMs + 10 * number
      const notBefore = new Date(dueMs).toISOString()
      return { dueMs, id: await client.accept(url, { target: `${target.url}/`, notBefore }) }
    }),
  )
  await checkpointReached(fleet.listeners, 5_000)
  await Promise.all(LISTENERS.map((listener) => fleet.remove(listener, 'SIGTERM')))
  const early = target.arrivals.length
  await sleep(firstMs + 10 * DUE + 500 - Date.now())
  t.equal(target.arrivals.length, early, 'nobody listens')
  t.ok(early < DUE / 10, `${DUE - early} came due meanwhile`)

  await fleet.start(LISTENERS)
  await target.until(({ arrivals }) => arrivals.length >= DUE, 30_000)
  await checkpointReached(fleet.listeners, 10_000)
  await fleet.stop()
  for (const { dueMs, id } of due) {
    const calls = target.of(id)
    if (calls.length !== 1 || (calls[0]?.atMs as number) < dueMs) t.fail(`${id} is called ${calls.length} times`)
  }
  t.equal(target.arrivals.length, DUE, 'each is called once')
}

async function setUp(t: Test, backend: Backend) {
  const installation = backend.create(t)
  const target = await TargetServer.start()
  t.teardown(() => target.stop())
  const client = new Client()
  t.teardown(() => client.close())
  const fleet = new Fleet(installation)
  t.teardown(() => fleet.crash(fleet.members))
  return { client, fleet, installation, target }
}

async function appendCalls(installation: Installation, target: string): Promise<void> {
  await withStream(installation, async (stream) => {
    for (let count = 0; count < CALLS; count += APPEND_RECORDS) {
      const records = Array.from({ length: APPEND_RECORDS }, () => {
        const nowMs = Date.now()
        const id = createId(nowMs)
        const call = { id, generation: 1, attempt: 1, acceptedAtMs: nowMs, depth: 0, target, method: 'POST' }
        return { key: id, value: encodeCall({ ...call, headers: {}, body: Buffer.alloc(0) }) }
      })
      await stream.append('calls', records)
    }
  })
}

/** Resolves with the number of calls that are left once most are removed. */
async function removed(installation: Installation): Promise<number> {
  return withStream(installation, async (stream) => {
    for (;;) {
      let left = 0
      for await (const { records } of stream.follow('calls', 'start', { untilEnd: true })) left += records.length
      if (left <= LEFT_MAX) return left
      await sleep(500)
    }
  })
}
