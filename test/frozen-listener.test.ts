import { setTimeout as sleep } from 'node:timers/promises'
import type { InstructionInput } from '@posthaste/core'
import t from 'tap'
import { Client } from './harness/client.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { freezeOutsideCommit } from './harness/freeze.js'
import { isFinal, readJournal } from './harness/journal.js'
import { callName, recordedCall } from './harness/ledger.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { drained } from './harness/stored-state.js'
import { TargetServer } from './harness/target-server.js'

// A listener that is frozen for longer than its lease wakes up with answers in its sockets, free places, and calls in
// its memory that wait for one. Another has made these calls meanwhile: the sleeper may do nothing but notice.

const LEASE_MS = 10_000
const CHECK_OUT_AFTER_MS = 10_000
/** It notices when it renews its lease, or completes something. */
const NOTICE_MS_MAX = LEASE_MS / 2
const PLACES = 16
/** Calls that the target holds; the other places work through quick ones, more slowly than these come. */
const HELD = 10
const QUICK_MS = 40
const POSTERS = 16
/** Accepted and not made when the freeze comes, at least. */
const WAITING_MIN = 100

t.setTimeout(180_000)

t.test('a listener that was frozen past its lease sends and records nothing more', async (t) => {
  const installation = createEmbedded(t)
  const target = await TargetServer.start()
  const client = new Client()
  const settings = { ...installation.settings, concurrencyPerTarget: String(PLACES) }
  const accepter = await PosthasteProcess.start({ role: 'accepter', settings })
  const sleeper = await PosthasteProcess.start({ role: 'listener', settings })
  const other = await PosthasteProcess.start({ role: 'listener', settings })
  t.teardown(async () => {
    client.close()
    await Promise.all([accepter, sleeper, other].map((one) => one.stop()))
    await target.stop()
  })
  const ids: string[] = []
  const post = async (path: string, instruction: Omit<InstructionInput, 'target'> = {}): Promise<string> => {
    const id = await client.accept(accepter.url, { ...instruction, target: `${target.url}${path}` })
    ids.push(id)
    return id
  }
  const ownerOf = async (listener: PosthasteProcess): Promise<string | undefined> => {
    const { json } = await client.request(`${listener.url}/cycle?wait=0ms`)
    return (json as { partitions: { member: string }[] }).partitions[0]?.member
  }
  t.equal(await ownerOf(sleeper), sleeper.url, 'who comes first owns the calls')
  t.equal(await ownerOf(other), sleeper.url, 'who comes second stands by')

  const release = holdFirstCalls(target)
  // A target earns its places by answers: after these it has all of them.
  await Promise.all(Array.from({ length: 4 * PLACES }, () => post('/quick')))
  await target.until(() => target.arrivals.length === 4 * PLACES && target.waiting === 0)
  // This one is checked out when the freeze comes: its watchdog, not the log, brings it to the other listener.
  const long = await post('/held', { timeout: '20s', retry: { maxAttempts: 1 } })
  await target.until(() => target.of(long).length === 1)
  await sleep(CHECK_OUT_AFTER_MS + 500)
  await Promise.all(Array.from({ length: HELD }, () => post('/held', { timeout: '60s' })))
  await target.until(() => target.waiting === HELD + 1)
  let frozen = false
  const posters = Array.from({ length: POSTERS }, async () => {
    while (!frozen) await post('/quick')
  })
  while (ids.length - target.arrivals.length <= 2 * WAITING_MIN) await sleep(20)

  const freezes = await freezeOutsideCommit(sleeper, accepter, `${target.url}/quick`)
  const frozenAtMs = performance.now()
  frozen = true
  await Promise.all(posters)
  const deferred = await post('/quick', { delay: '1s' })
  // What it sent last may still be on its way through the loopback.
  await sleep(200)
  const before = target.arrivals.length
  const connections = new Set(target.arrivals.map(({ connection }) => connection))
  // Nobody writes the journal now, so it says what is in flight: what was sent and is not recorded.
  const recorded = new Set((await readJournal(installation)).map(recordedCall))
  const inFlight = new Set(target.arrivals.map(callName).filter((name) => !recorded.has(name)))
  t.ok(inFlight.size > HELD, `it was frozen at the ${freezes}. attempt with ${inFlight.size} calls in flight`)
  t.ok(ids.length - before > WAITING_MIN, `${ids.length - before} calls were accepted and not made`)

  await sleep(LEASE_MS / 2)
  t.equal(target.arrivals.length, before, 'while its lease lasts nobody calls')
  await target.until(() => target.arrivals.length > before, LEASE_MS)
  t.comment(`the other one took over ${Math.round(performance.now() - frozenAtMs)} ms after the freeze`)
  await drained(installation, 60_000)

  release()
  await sleep(200)
  sleeper.kill('SIGCONT')
  await Promise.all(Array.from({ length: 100 }, () => post('/quick')))
  const noticedByMs = performance.now() + NOTICE_MS_MAX
  while ((await ownerOf(sleeper)) === sleeper.url && performance.now() < noticedByMs) await sleep(20)
  t.equal(await ownerOf(sleeper), other.url, 'it notices that the other one owns the calls')
  // What follows says more of why.
  await drained(installation, 20_000).catch((error: Error) => t.fail(error.message))

  const calls = target.arrivals
  const late = calls.slice(before).filter(({ connection }) => connections.has(connection))
  t.strictSame(late.map(callName), [], 'nothing more comes over its connections')
  const repeated = calls.map(callName).filter((name, index, names) => names.indexOf(name) !== index)
  t.strictSame(
    repeated.filter((name) => !inFlight.has(name)),
    [],
    'what was not in flight is called once, by the other one',
  )
  t.strictSame(repeated.sort(), [...inFlight].sort(), 'what was in flight is called once more')
  t.equal(target.of(deferred).length, 1, 'what came due while it slept was called')

  other.kill('SIGKILL')
  await other.exited
  const last = await post('/quick')
  await target.until(() => target.of(last).length === 1)
  t.equal(await ownerOf(sleeper), sleeper.url, 'it takes over again when the other one is gone')
  await drained(installation, 10_000).catch((error: Error) => t.fail(error.message))
  await Promise.all([accepter, sleeper].map((one) => one.stop()))

  const journal = await readJournal(installation)
  const finals = journal.filter(isFinal).map(({ id }) => id)
  t.equal(new Set(finals).size, finals.length, 'no invocation has two final states')
  const ended = new Set(finals)
  t.strictSame(
    ids.filter((id) => !ended.has(id)),
    [],
    'every invocation has one',
  )
  t.strictSame(
    journal.filter(({ state }) => state !== 'succeeded').map(({ failure, id, state }) => ({ id, state, failure })),
    [],
    'the time-out that the sleeper believed in is not recorded',
  )
})

/** The target holds the first call of each invocation on /held until the returned function is called. */
function holdFirstCalls(target: TargetServer): () => void {
  const seen = new Set<string>()
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  target.script = async ({ id, path }) => {
    if (path !== '/held') return { delayMs: QUICK_MS }
    if (seen.has(id)) return {}
    seen.add(id)
    await released
    return {}
  }
  return release
}
