import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Client } from './harness/client.js'
import { isFinal, readJournal } from './harness/journal.js'
import { LoadMeter, type MachineLoad, percentile } from './harness/machine-load.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { type Arrival, TargetServer } from './harness/target-server.js'
import { temporaryDirectory } from './harness/temporary-directory.js'

// What DESIGN.md promises of the embedded stream on an idle system.
const LATE_MS_MAX = 50
/** Accepting is over when the first one is due, on a machine that is not busy with something else. */
const LEAD_MS_PER_RECORD = 0.4
/** After a restart, what came due in the meantime is called first; from then on lateness counts as usual. */
const CATCH_UP_MS_MAX = 1_500
const FIRST_CALLS_MS = 2_000

interface Due {
  readonly id: string
  readonly dueMs: number
  /** When it could be called at the earliest: it was due, and accepted. */
  readonly fromMs: number
}

t.setTimeout(150_000)

t.test('10,000 due over 20 seconds', { timeout: 70_000 }, async (t) => {
  const { client, posthaste, target } = await setUp(t)
  const due = await accept(client, posthaste.url, target, 10_000, 20_000)
  const load = new LoadMeter()
  load.add(posthaste.pid)
  await target.until(({ arrivals }) => arrivals.length >= due.length, 40_000)
  const lateMs = checkArrivals(t, due, target.arrivals, 1)
  checkLateness(t, lateMs, load.end())
  await posthaste.stop()
})

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  t.test(`4,000 due over 12 seconds, stopped by ${signal} in the middle`, { timeout: 60_000 }, async (t) => {
    const { client, dataDir, posthaste, target } = await setUp(t)
    const due = await accept(client, posthaste.url, target, 4_000, 12_000)
    const firstDueMs = (due[0] as Due).dueMs
    await sleep(firstDueMs + FIRST_CALLS_MS - Date.now())
    const load = new LoadMeter()
    posthaste.kill(signal)
    await posthaste.exited
    const stoppedMs = Date.now()
    t.notOk(target.waiting, 'no call outlives the process')
    await sleep(1_500)

    const next = new PosthasteProcess({ role: 'start', dataDir, settings })
    load.add(next.pid)
    await next.ready()
    const restartedMs = Date.now()
    const ids = new Set(due.map(({ id }) => id))
    await target.until(({ arrivals }) => unique(arrivals) === ids.size, 30_000)
    checkArrivals(t, due, target.arrivals, signal === 'SIGKILL' ? 2 : 1)

    const first = firstArrivals(target.arrivals)
    const late = ({ id, fromMs }: Due): number => (first.get(id) as number) - Math.max(fromMs, restartedMs)
    const missed = due.filter(({ id, dueMs }) => dueMs <= restartedMs && (first.get(id) as number) > stoppedMs)
    t.ok(missed.length > 500, `${missed.length} came due while nobody was there`)
    const catchUpMs = Math.max(...missed.map(late))
    t.comment(`the last of them was called ${catchUpMs} ms after the restart`)
    const after = due.filter(({ dueMs }) => dueMs > restartedMs + CATCH_UP_MS_MAX).map(late)
    t.ok(after.length > 500, `${after.length} came due later`)
    const machine = load.end()
    checkLateness(t, after, machine)
    if (machine.idle) t.ok(catchUpMs <= CATCH_UP_MS_MAX, `what was missed was called within ${CATCH_UP_MS_MAX} ms`)

    await next.stop()
    const entries = await readJournal(dataDir)
    const final = entries.filter(isFinal)
    t.equal(final.length, due.length, 'each has one final state')
    t.ok(final.every(({ state }) => state === 'succeeded'))
    t.equal(new Set(final.map(({ id }) => id)).size, due.length)
  })
}

const settings = { logLevel: 'info' } as const

async function setUp(t: Test) {
  const dataDir = temporaryDirectory(t)
  const target = await TargetServer.start()
  t.after(() => target.stop())
  const client = new Client()
  t.after(() => client.close())
  const posthaste = await PosthasteProcess.start({ role: 'start', dataDir, settings })
  return { client, dataDir, posthaste, target }
}

/** Has `count` instructions accepted, due at even distances over `spanMs`, in no particular order. */
async function accept(
  client: Client,
  url: string,
  target: TargetServer,
  count: number,
  spanMs: number,
): Promise<readonly Due[]> {
  const firstMs = Date.now() + count * LEAD_MS_PER_RECORD
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

/** Checks that each came, once or as often as it may, and never early; returns by how much each was late. */
function checkArrivals(t: Test, due: readonly Due[], arrivals: readonly Arrival[], timesMax: number): number[] {
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
  const first = firstArrivals(arrivals)
  return due.map(({ fromMs, id }) => (first.get(id) as number) - fromMs)
}

/** What the machine's neighbours take cannot be told from what Posthaste takes, so the promise is for an idle one. */
function checkLateness(t: Test, lateMs: readonly number[], machine: MachineLoad): void {
  const [p50, p99, most] = [percentile(lateMs, 0.5), percentile(lateMs, 0.99), percentile(lateMs, 1)]
  t.comment(`late by p50 ${p50} ms, p99 ${p99} ms, at most ${most} ms; machine: ${JSON.stringify(machine)}`)
  if (machine.idle) t.ok(p99 <= LATE_MS_MAX, `p99 is ${p99} ms`)
  else t.pass('the machine was busy with something else: only that none was early is checked')
}

const unique = (arrivals: readonly Arrival[]): number => new Set(arrivals.map(({ id }) => id)).size

function firstArrivals(arrivals: readonly Arrival[]): Map<string, number> {
  const first = new Map<string, number>()
  for (const { atMs, id } of arrivals) if (!first.has(id)) first.set(id, atMs)
  return first
}
