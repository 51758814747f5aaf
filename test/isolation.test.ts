import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { createId, encodeCall } from '@posthaste/core'
import type { NewRecord } from '@posthaste/stream'
import t, { type Test } from 'tap'
import { brokers, embedded, testOn } from './harness/backends.js'
import { Client } from './harness/client.js'
import { type Installation, withStream } from './harness/installation.js'
import { readJournal } from './harness/journal.js'
import { LoadMeter, OTHERS_WITH_BROKER_MAX } from './harness/machine-load.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'
import { readWaitingIds } from './harness/waiting-ids.js'

interface Scale {
  readonly quick: number
  readonly hanging: number
  /** The best of so many pairs of runs counts: each takes a second or two, and what else the machine does in it only adds. */
  readonly runs: number
  /** How many times as long the quick ones may take among the hanging ones as alone. */
  readonly factorMax: number
  /** CPUs that others may keep busy on a machine where runs can be compared. */
  readonly othersMax?: number
}

const HANGING_TARGETS = 50
const ON_EMBEDDED: Scale = { quick: 10_000, hanging: 200_000, runs: 5, factorMax: 2 }
const ON_BROKER: Omit<Scale, 'factorMax'> = {
  quick: 4_000,
  hanging: 16_000,
  runs: 2,
  othersMax: OTHERS_WITH_BROKER_MAX,
}
/**
 * On Kafka each of the hanging ones, four times as many, is moved aside by a write of its own, on a connection that all
 * share. On NATS they are read, at the least, and wait in memory.
 */
const FACTOR_MAX = { kafka: 4, nats: 3 }

/** Where the machine was busy with something else, and the two runs cannot be compared: sooner than a time-out. */
const BUSY_MS_MAX = 30_000
/** Alone they take a second of CPU: even on a busy machine it is the target that decides, and it answers at once. */
const ALONE_MS_MAX = 10_000
/** Of the quick ones, alone, this share may be moved aside: their target is never the one that is slow. */
const SPILLED_SHARE_MAX = 0.05
/**
 * Anonymous memory, of three threads and what is on its way between them. Pages of a data file that are mapped are the
 * system's to take back.
 */
const MEMORY_MIB_MAX = 512
const IN_FLIGHT_MAX = 8_192
const APPEND_RECORDS = 5_000
const LOOK_MS = 100

interface Run {
  /** From when the process listened until the last quick call had come. */
  readonly quickMs: number
  /** What the process used of the CPUs in that time. */
  readonly cpuMs: number
  readonly memoryMiB: number
  readonly inFlightMax: number
  /** Records moved aside. */
  readonly spilled: number
}

/** Of what a ping answers. */
interface Report {
  readonly spilled: number
  readonly partitions: readonly { readonly inFlight: number }[]
}

t.setTimeout(290_000)

testOn(t, embedded, 'targets that hang do not hold up one that answers', 110_000, async (t) => {
  const last = await compare(t, () => embedded.create(t), ON_EMBEDDED)
  const waiting = await readWaitingIds(last)
  const ended = new Set((await readJournal(last)).map(({ id }) => id))
  t.comment(`${waiting.size} wait, ${ended.size} were called`)
  const { hanging, quick } = ON_EMBEDDED
  t.equal(new Set([...waiting, ...ended]).size, hanging + quick, 'nothing is lost')
})

for (const broker of brokers) {
  testOn(t, broker, 'targets that hang do not hold up one that answers', 110_000, async (t) => {
    const factorMax = FACTOR_MAX[broker.name as keyof typeof FACTOR_MAX]
    await compare(t, () => broker.create(t), { ...ON_BROKER, factorMax })
  })
}

/**
 * Has the quick ones called alone and among the hanging ones, each time on a new installation, and checks how long
 * that takes. Returns the last installation.
 */
async function compare<I extends Installation>(t: Test, create: () => I, scale: Scale): Promise<I> {
  const load = new LoadMeter(scale.othersMax)
  const hanging = await startHangingTargets(t)
  const runs: { installation: I; alone: Run; among: Run }[] = []
  for (let count = 0; count < scale.runs; count += 1) {
    const alone = await run(t, create(), [], scale, load)
    const installation = create()
    runs.push({ installation, alone, among: await run(t, installation, hanging, scale, load) })
  }
  const machine = load.end()
  const alone = quickest(runs.map((both) => both.alone))
  const among = quickest(runs.map((both) => both.among))
  t.comment(`ms alone and among: ${runs.map((both) => `${both.alone.quickMs}, ${both.among.quickMs}`).join('; ')}`)
  for (const [name, { cpuMs, inFlightMax, memoryMiB, quickMs, spilled }] of Object.entries({ alone, among })) {
    const rate = Math.round((scale.quick / quickMs) * 1_000)
    t.comment(`${name}: ${quickMs} ms, ${rate}/s, CPU ${cpuMs} ms, ${memoryMiB} MiB`)
    t.comment(`  ${inFlightMax} in flight at most, ${spilled} moved aside`)
  }
  // The machine's own speed changes from minute to minute, so only the two runs of a pair compare.
  const factor = Math.min(...runs.map((both) => both.among.quickMs / both.alone.quickMs))
  t.comment(`${factor.toFixed(2)} times as long; machine: ${JSON.stringify(machine)}`)
  t.ok(alone.quickMs <= ALONE_MS_MAX, `alone they take at most ${ALONE_MS_MAX} ms`)
  const spilledMax = scale.quick * SPILLED_SHARE_MAX
  if (machine.alone) t.ok(alone.spilled <= spilledMax, `alone at most ${spilledMax} are moved aside`)
  if (machine.alone) t.ok(factor <= scale.factorMax, `the quick ones take at most ${scale.factorMax} times as long`)
  t.ok(among.quickMs <= BUSY_MS_MAX, 'the quick ones wait for no time-out')
  const memoryMiB = Math.max(...runs.map((both) => both.among.memoryMiB))
  t.ok(memoryMiB <= MEMORY_MIB_MAX, `the process takes ${memoryMiB} MiB, at most ${MEMORY_MIB_MAX}`)
  const inFlightMax = Math.max(...runs.map((both) => both.among.inFlightMax))
  t.ok(inFlightMax <= IN_FLIGHT_MAX, `at most ${IN_FLIGHT_MAX} records are delivered and not completed`)
  return (runs.at(-1) as { installation: I }).installation
}

function quickest(runs: readonly Run[]): Run {
  return runs.reduce((best, one) => (one.quickMs < best.quickMs ? one : best))
}

/** Works off what is put on the stream of a stopped installation until the quick ones are called, then kills it. */
async function run(
  t: Test,
  installation: Installation,
  hanging: readonly string[],
  scale: Scale,
  load: LoadMeter,
): Promise<Run> {
  const target = await TargetServer.start()
  const client = new Client()
  t.after(() => target.stop())
  t.after(() => client.close())
  await fill(installation, `${target.url}/quick`, hanging, scale)
  const posthaste = new PosthasteProcess({ role: 'start', settings: installation.settings })
  load.add(posthaste.pid)
  await posthaste.ready()
  const startCpuMs = load.look(posthaste.pid)
  const startedMs = Date.parse(String(posthaste.lines.find(({ url }) => url === posthaste.url)?.time))
  let inFlightMax = 0
  let memoryMiB = 0
  const look = async (): Promise<Report> => {
    const report = (await client.request(`${posthaste.url}/cycle?wait=0ms`)).json as Report
    inFlightMax = Math.max(inFlightMax, inFlightOf(report))
    memoryMiB = Math.max(memoryMiB, anonymousMiBOf(posthaste.pid))
    return report
  }
  const looking = setInterval(() => void look().catch(() => undefined), LOOK_MS)
  await target.until(({ arrivals }) => arrivals.length === scale.quick, 60_000)
  const quickMs = (target.arrivals.at(-1)?.atMs as number) - startedMs
  clearInterval(looking)
  const { spilled } = await look()
  const cpuMs = load.look(posthaste.pid) - startCpuMs
  posthaste.kill('SIGKILL')
  await posthaste.exited
  return { quickMs, cpuMs, memoryMiB, inFlightMax, spilled }
}

const inFlightOf = ({ partitions }: Report): number => partitions.reduce((sum, { inFlight }) => sum + inFlight, 0)

/** Puts calls of the quick target on the stream, and evenly between them those of the hanging ones. */
async function fill(
  installation: Installation,
  quick: string,
  hanging: readonly string[],
  scale: Scale,
): Promise<void> {
  const between = hanging.length > 0 ? scale.hanging / scale.quick : 0
  await withStream(installation, async (stream) => {
    let records: NewRecord[] = []
    let next = 0
    for (let count = 0; count < scale.quick; count += 1) {
      for (let more = 0; more < between; more += 1) records.push(recordFor(hanging[next++ % hanging.length] as string))
      records.push(recordFor(quick))
      if (records.length < APPEND_RECORDS && count < scale.quick - 1) continue
      await stream.append('calls', records)
      records = []
    }
  })
}

function recordFor(target: string): NewRecord {
  const nowMs = Date.now()
  const id = createId(nowMs)
  const headers = { 'content-type': 'application/json' }
  const call = { id, generation: 1, attempt: 1, acceptedAtMs: nowMs, depth: 0, target, method: 'POST', headers }
  return { key: id, value: encodeCall({ ...call, body: Buffer.from('{"some":"thing"}') }) }
}

/** Servers that take every connection and never answer. */
async function startHangingTargets(t: Test): Promise<string[]> {
  return Promise.all(
    Array.from({ length: HANGING_TARGETS }, async () => {
      const server = createServer((socket) => {
        // Whoever calls is killed in the end.
        socket.resume().on('error', () => undefined)
        t.after(() => socket.destroy())
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      t.after(() => server.close())
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hangs`
    }),
  )
}

/** What it has now; 0 where there is no /proc. */
function anonymousMiBOf(pid: number): number {
  try {
    return Math.round(Number(/^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)
  } catch {
    return 0
  }
}
