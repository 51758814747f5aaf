import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { kafka, testOn } from './harness/backends.js'
import type { BrokerInstallation } from './harness/broker-installation.js'
import { Client } from './harness/client.js'
import { Fleet } from './harness/fleet.js'
import { isFinal, readJournal } from './harness/journal.js'
import { callName, recordedCall } from './harness/ledger.js'
import { checkpointReached, settled } from './harness/settled.js'
import { type Answer, type Arrival, TargetServer } from './harness/target-server.js'

// Listeners join and leave while calls run that take far longer than a rebalance: none is made twice, but what a listener
// gives up because this machine stood still. Half of them fail at first, and are forwarded at last, so that what follows
// from a call is seen too.

const CALL_MS = 5_000
const TIME_OUT_MS = 8_000
/** What watches over a call that was checked out comes at the latest so long after it began. */
const WATCHED_MS = TIME_OUT_MS + 5_000 + 2_000
const POST_EVERY_MS = 100
/** So many run whenever a listener comes or goes. A target earns them one by one. */
const RUNNING = 16
const GROW_MS_MAX = 40_000
const SETTLE_MS_MAX = 60_000
const LOOK_MS = 100

t.setTimeout(300_000)

testOn(t, kafka, 'long calls while listeners join and leave', 240_000, (t) => joinAndLeave(t, kafka.create(t)))

async function joinAndLeave(t: Test, installation: BrokerInstallation): Promise<void> {
  const target = await TargetServer.start(answerOf)
  t.teardown(() => target.stop())
  const client = new Client()
  t.teardown(() => client.close())
  const fleet = new Fleet(installation, { concurrencyPerTarget: '256' })
  t.teardown(() => fleet.crash(fleet.members))
  await fleet.start(['accepter', 'listener-1'])

  const accepted: string[] = []
  const posting = new AbortController()
  t.teardown(() => posting.abort())
  const posted = postUntil(posting.signal, async () => {
    const forwardTo = `${target.url}/forward`
    const more =
      accepted.length % 2 === 0 ? { target: `${target.url}/long` } : { target: `${target.url}/fails`, forwardTo }
    const retry = { maxAttempts: 2, initialDelay: '100ms' }
    const instruction = { ...more, timeout: `${TIME_OUT_MS}ms`, retry }
    accepted.push(await client.accept(fleet.process('accepter').url, instruction))
  })
  await target.until(({ waiting }) => waiting >= RUNNING, GROW_MS_MAX)
  await fleet.start(['listener-2'])
  await shared(client, fleet)
  await target.until(({ waiting }) => waiting >= RUNNING, GROW_MS_MAX)
  await fleet.start(['listener-3'])
  await shared(client, fleet)
  const moved = (await report(client, fleet.process('listener-1').url)).checkedOut
  await target.until(({ waiting }) => waiting >= RUNNING, GROW_MS_MAX)
  await fleet.remove('listener-2', 'SIGTERM')
  await shared(client, fleet)
  posting.abort()
  await posted

  const unsettled = { accepted, fromMs: Date.now() + WATCHED_MS, timeoutMs: SETTLE_MS_MAX }
  await settled(installation, unsettled).catch((error: Error) => t.fail(error.message))
  await checkpointReached(fleet.listeners, 15_000).catch((error: Error) => t.fail(error.message))
  await fleet.stop()
  t.ok(moved > 0, `of ${accepted.length} calls, ${moved} ran on the first listener when their partition was given away`)
  checkCalls(t, target.arrivals, accepted)
  const journal = await readJournal(installation)
  t.strictSame(repeated(journal.map(recordedCall)), [], 'each attempt has one entry')
  t.strictSame(repeated(journal.filter(isFinal).map(({ id }) => id)), [], 'each invocation has one end')
}

function answerOf({ attempt, path }: Arrival): Answer {
  if (path === '/forward') return {}
  return { delayMs: CALL_MS, status: path === '/fails' && attempt === 1 ? 500 : 200 }
}

function checkCalls(t: Test, arrivals: readonly Arrival[], accepted: readonly string[]): void {
  const heard = arrivals.filter(({ answered }) => answered)
  const calls = heard.filter(({ path }) => path !== '/forward')
  const forwards = heard.filter(({ path }) => path === '/forward')
  const failing = accepted.filter((_, index) => index % 2 === 1)
  t.equal(
    new Set(calls.map(callName)).size,
    accepted.length + failing.length,
    'every attempt is made, and its answer heard',
  )
  t.strictSame(repeated(calls.map(callName)), [], 'once')
  const givenUp = arrivals.length - heard.length
  t.ok(givenUp <= RUNNING, `${givenUp} calls were given up and made again`)
  t.strictSame(forwards.map(({ id }) => id).sort(), failing.sort(), 'what is to be forwarded is, once')
}

async function postUntil(signal: AbortSignal, post: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await post()
    await sleep(POST_EVERY_MS)
  }
}

interface Report {
  readonly checkedOut: number
  readonly partitions: readonly { readonly owner: string }[]
}

async function report(client: Client, url: string): Promise<Report> {
  return (await client.request(`${url}/cycle?wait=0ms`)).json as Report
}

/** Resolves once each listener owns partitions, and all together own all. @throws Error if that takes too long */
async function shared(client: Client, fleet: Fleet): Promise<void> {
  for (const untilMs = Date.now() + 30_000; Date.now() < untilMs; await sleep(LOOK_MS)) {
    const reports = await Promise.all(fleet.listeners.map(({ url }) => report(client, url)))
    const owned = reports.map(({ partitions }) => partitions.filter(({ owner }) => owner === 'this').length)
    const all = reports[0]?.partitions.length ?? 0
    if (owned.every((count) => count > 0) && owned.reduce((sum, count) => sum + count) === all) return
  }
  throw new Error('The listeners do not share the partitions.')
}

function repeated(names: readonly string[]): string[] {
  const seen = new Set<string>()
  return names.filter((name) => seen.has(name) || !seen.add(name))
}
