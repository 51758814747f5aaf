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
import { PosthasteProcess } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'
import { readWaitingIds } from './harness/waiting-ids.js'

// How long the quick ones take is measured by `npm run bench -- isolation`. Here it is a limit that no machine comes near
// unless they wait for those that hang.

interface Scale {
  readonly quick: number
  readonly hanging: number
}

const HANGING_TARGETS = 50
const ON_EMBEDDED: Scale = { quick: 5_000, hanging: 100_000 }
const ON_BROKER: Scale = { quick: 4_000, hanging: 16_000 }

/** Sooner than a time-out of those that hang. */
const QUICK_MS_MAX = 28_000
/** How many times as long they may take among the hanging ones as alone: measured are 1.1 to 2.5. */
const FACTOR_MAX = 8
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
  readonly memoryMiB: number
  readonly inFlightMax: number
}

/** Of what a ping answers. */
interface Report {
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
    await compare(t, () => broker.create(t), ON_BROKER)
  })
}

/** Has the quick ones called alone, then among the hanging ones on a new installation, which it returns. */
async function compare<I extends Installation>(t: Test, create: () => I, scale: Scale): Promise<I> {
  const hanging = await startHangingTargets(t)
  const alone = await run(t, create(), [], scale)
  const installation = create()
  const among = await run(t, installation, hanging, scale)
  t.comment(`alone ${JSON.stringify(alone)}, among ${JSON.stringify(among)}`)
  const quickMsMax = Math.min(QUICK_MS_MAX, FACTOR_MAX * alone.quickMs)
  t.ok(among.quickMs <= quickMsMax, `the quick ones take ${among.quickMs} ms, at most ${quickMsMax}`)
  t.ok(among.memoryMiB <= MEMORY_MIB_MAX, `the process takes ${among.memoryMiB} MiB, at most ${MEMORY_MIB_MAX}`)
  t.ok(among.inFlightMax <= IN_FLIGHT_MAX, `at most ${IN_FLIGHT_MAX} records are delivered and not completed`)
  return installation
}

/** Works off what is put on the stream of a stopped installation until the quick ones are called, then kills it. */
async function run(t: Test, installation: Installation, hanging: readonly string[], scale: Scale): Promise<Run> {
  const target = await TargetServer.start()
  const client = new Client()
  t.after(() => target.stop())
  t.after(() => client.close())
  await fill(installation, `${target.url}/quick`, hanging, scale)
  const posthaste = new PosthasteProcess({ role: 'start', settings: installation.settings })
  await posthaste.ready()
  const startedMs = Date.parse(String(posthaste.lines.find(({ url }) => url === posthaste.url)?.time))
  let inFlightMax = 0
  let memoryMiB = 0
  const look = async (): Promise<void> => {
    const report = (await client.request(`${posthaste.url}/cycle?wait=0ms`)).json as Report
    inFlightMax = Math.max(inFlightMax, inFlightOf(report))
    memoryMiB = Math.max(memoryMiB, anonymousMiBOf(posthaste.pid))
  }
  const looking = setInterval(() => void look().catch(() => undefined), LOOK_MS)
  await target.until(({ arrivals }) => arrivals.length === scale.quick, 60_000)
  const quickMs = (target.arrivals.at(-1)?.atMs as number) - startedMs
  clearInterval(looking)
  await look()
  posthaste.kill('SIGKILL')
  await posthaste.exited
  return { quickMs, memoryMiB, inFlightMax }
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
