import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Backend, embedded, kafka, nats, testOn } from './harness/backends.js'
import { TAKE_OVER_MS } from './harness/broker-installation.js'
import { Client } from './harness/client.js'
import { isFinal, readJournal } from './harness/journal.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { type Arrival, TargetServer } from './harness/target-server.js'

type Signal = 'SIGKILL' | 'SIGTERM'

interface Spread {
  readonly count: number
  readonly spanMs: number
}

/** How it is when listeners stop by themselves on a broker is in waiting-timers.test.ts. */
interface Case {
  readonly backend: Backend
  /** Accepting is over when the first one is due, and so is putting off what was accepted, on an idle machine. */
  readonly leadMsPerRecord: number
  /** Due over `spanMs`, on a system that goes on. */
  readonly quiet: Spread
  /** Due over `spanMs`, on one that is stopped in the middle. */
  readonly stopped: Readonly<Partial<Record<Signal, Spread>>>
  /** After a crash, what the dead listener had stays with it for so long. */
  readonly takeOverMs: number
}

const onEmbedded: Case = {
  backend: embedded,
  leadMsPerRecord: 1,
  quiet: { count: 10_000, spanMs: 10_000 },
  stopped: { SIGKILL: { count: 3_000, spanMs: 9_000 }, SIGTERM: { count: 3_000, spanMs: 9_000 } },
  takeOverMs: 0,
}

const onBroker = {
  leadMsPerRecord: 2,
  quiet: { count: 2_000, spanMs: 6_000 },
  stopped: { SIGKILL: { count: 2_000, spanMs: 10_000 } },
  takeOverMs: TAKE_OVER_MS,
}

const CASES: readonly Case[] = [onEmbedded, { ...onBroker, backend: nats }, { ...onBroker, backend: kafka }]

/**
 * How late calls are on an idle machine is measured by `npm run bench -- lateness`. Here it is a limit that a busy one with
 * a slow disk keeps too: nothing waits for a time-out, or for the next of anything.
 */
const LATE_MS_MAX = 10_000
const FIRST_CALLS_MS = 2_000
const AWAY_MS = 1_500

interface Due {
  readonly id: string
  readonly dueMs: number
  /** When it could be called at the earliest: it was due, and accepted. */
  readonly fromMs: number
}

t.setTimeout(580_000)

for (const one of CASES) {
  const { backend, quiet, stopped } = one
  testOn(t, backend, `${quiet.count} due over ${quiet.spanMs / 1_000} seconds`, 70_000, (t) => goOn(t, one))
  for (const [signal, spread] of Object.entries(stopped) as [Signal, Spread][]) {
    const name = `${spread.count} due over ${spread.spanMs / 1_000} seconds, stopped by ${signal} in the middle`
    testOn(t, backend, name, 70_000, (t) => stopInTheMiddle(t, one, spread, signal))
  }
}

async function goOn(t: Test, one: Case): Promise<void> {
  const { client, posthaste, target } = await setUp(t, one)
  const due = await accept(client, posthaste.url, target, one.quiet, one.leadMsPerRecord)
  await target.until(({ arrivals }) => arrivals.length >= due.length, 40_000)
  checkArrivals(t, due, target.arrivals, 1)
  checkLateness(t, due, target.arrivals)
  await posthaste.stop()
}

async function stopInTheMiddle(t: Test, one: Case, spread: Spread, signal: Signal): Promise<void> {
  const { client, installation, posthaste, settings, target } = await setUp(t, one)
  const due = await accept(client, posthaste.url, target, spread, one.leadMsPerRecord)
  await sleep((due[0] as Due).dueMs + FIRST_CALLS_MS - Date.now())
  posthaste.kill(signal)
  await posthaste.exited
  const stoppedMs = Date.now()
  t.notOk(target.waiting, 'no call outlives the process')
  await sleep(AWAY_MS)

  const next = new PosthasteProcess({ role: 'start', settings })
  await next.ready()
  const restartedMs = Date.now()
  await target.until(({ arrivals }) => unique(arrivals) === due.length, 40_000)
  checkArrivals(t, due, target.arrivals, signal === 'SIGKILL' ? 2 : 1)
  const first = firstArrivals(target.arrivals)
  const missed = due.filter(({ dueMs, id }) => dueMs <= restartedMs && (first.get(id) as number) > stoppedMs)
  t.ok(missed.length > 0, `${missed.length} came due while nobody was there`)
  checkLateness(t, due, target.arrivals, restartedMs + (signal === 'SIGKILL' ? one.takeOverMs : 0))

  await next.stop()
  const entries = await readJournal(installation)
  const final = entries.filter(isFinal)
  t.equal(final.length, due.length, 'each has one final state')
  t.ok(final.every(({ state }) => state === 'succeeded'))
  t.equal(new Set(final.map(({ id }) => id)).size, due.length)
}

async function setUp(t: Test, { backend }: Case) {
  const installation = backend.create(t)
  const target = await TargetServer.start()
  t.after(() => target.stop())
  const client = new Client()
  t.after(() => client.close())
  const settings = { ...installation.settings, logLevel: 'info' }
  const posthaste = await PosthasteProcess.start({ role: 'start', settings })
  return { client, installation, posthaste, settings, target }
}

/** Has `count` instructions accepted, due at even distances over `spanMs`, in no particular order. */
async function accept(
  client: Client,
  url: string,
  target: TargetServer,
  { count, spanMs }: Spread,
  leadMsPerRecord: number,
): Promise<readonly Due[]> {
  const firstMs = Date.now() + count * leadMsPerRecord
  const due = await Promise.all(
    Array.from({ length: count }, async (_, index): Promise<Due> => {
      // 7919 is a prime: later requests are due earlier as often as not.
      const dueMs = Math.floor(firstMs + (((index * 7919) % count) * spanMs) / count)
      const notBefore = new Date(dueMs).toISOString()
      const id = await client.accept(url, { target: `${target.url}/`, notBefore })
      return { id, dueMs, fromMs: Math.max(dueMs, Date.now()) }
    }),
  )
  return due.sort((a, b) => a.dueMs - b.dueMs)
}

/** Checks that each came, once or as often as it may, and never early. */
function checkArrivals(t: Test, due: readonly Due[], arrivals: readonly Arrival[], timesMax: number): void {
  const dueById = new Map(due.map(({ id, dueMs }) => [id, dueMs]))
  const early = arrivals.filter(({ atMs, id }) => atMs < (dueById.get(id) ?? Number.POSITIVE_INFINITY))
  t.strictSame(early, [], 'none is early')
  const times = new Map<string, number>()
  for (const { id } of arrivals) times.set(id, (times.get(id) ?? 0) + 1)
  t.strictSame(
    due.filter(({ id }) => !times.has(id)),
    [],
    'none is lost',
  )
  t.ok(Math.max(...times.values()) <= timesMax, `none is called more than ${timesMax} times`)
}

/** `thereFromMs`: what came due before could not be called before. */
function checkLateness(t: Test, due: readonly Due[], arrivals: readonly Arrival[], thereFromMs = 0): void {
  const first = firstArrivals(arrivals)
  const late = due.map(({ fromMs, id }) => (first.get(id) as number) - Math.max(fromMs, thereFromMs))
  const lateMs = late.sort((a, b) => a - b)
  const [p50, p99, most] = [0.5, 0.99, 1].map((share) => lateMs[Math.ceil(lateMs.length * share) - 1]) as number[]
  t.comment(`late by p50 ${p50} ms, p99 ${p99} ms, at most ${most} ms`)
  t.ok((most as number) <= LATE_MS_MAX, `none is late by more than ${LATE_MS_MAX} ms`)
}

const unique = (arrivals: readonly Arrival[]): number => new Set(arrivals.map(({ id }) => id)).size

function firstArrivals(arrivals: readonly Arrival[]): Map<string, number> {
  const first = new Map<string, number>()
  for (const { atMs, id } of arrivals) if (!first.has(id)) first.set(id, atMs)
  return first
}
