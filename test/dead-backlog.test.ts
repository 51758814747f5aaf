import { setTimeout as sleep } from 'node:timers/promises'
import { createId, encodeCall, type InstructionInput } from '@posthaste/core'
import type { CycleReport } from '@posthaste/listener'
import t, { type Test } from 'tap'
import { type Backend, embedded, kafka, nats, testOn } from './harness/backends.js'
import { Client } from './harness/client.js'
import { Control } from './harness/control.js'
import { type Installation, withStream } from './harness/installation.js'
import { MortalTarget } from './harness/mortal-target.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { type Arrival, TargetServer } from './harness/target-server.js'
import { untilShown } from './harness/until-shown.js'

// A target is dead while thousands of instructions wait for it, beside one that is well. How long the calls of that one take
// is for the bench; the limit here is one that no machine comes near unless they wait until what is parked is back.

const BACKLOG = { embedded: 10_000, nats: 2_000, kafka: 2_000 }
const APPEND_RECORDS = 5_000
/** They find out that it is dead. None of them may use up its attempts for that. */
const FIRST = 20
const AGAIN_SOON = { maxAttempts: 100, initialDelay: '200ms', factor: 1, jitter: 'none' } as const
/** Nothing that is parked comes back sooner. */
const PARK_MS_MIN = 30_000
const WELL_MS_MAX = 20_000
const WELL_EVERY_MS = 50
const PROBES_APART_MS = 1_000
/** Of a record that is moved aside: that of its timer, where that stands on the same log, and that which comes back. */
const RECORDS_PER_MOVE = 2
const LOOK_MS = 100

t.setTimeout(290_000)
// They wait most of the time.
t.jobs = 3

for (const backend of [embedded, nats, kafka]) {
  const name = `${BACKLOG[backend.name]} instructions for a dead target hold nobody up, and all are called`
  testOn(t, backend, name, 240_000, surviveOutage, { buffered: true })
}

async function surviveOutage(t: Test, backend: Backend): Promise<void> {
  const installation = backend.create(t)
  const { control, mortal, posthaste, well } = await start(t, installation)
  const first = await Promise.all(
    Array.from({ length: FIRST }, () => accept(control, { target: mortal.url, retry: AGAIN_SOON })),
  )
  await reported(posthaste, ({ breakers }) => breakers.length > 0)
  const foundMs = performance.now()

  const before = await reported(posthaste, () => true)
  const calling = new AbortController()
  const calls = callAllTheTime(control, well, calling.signal)
  const backlog = await fill(installation, mortal.url, BACKLOG[backend.name])
  await Promise.race([reported(posthaste, ({ parked }) => parked >= backlog.length), calls])
  const cancelled = backlog[0] as string
  await untilShown(control, cancelled, () => true)
  const { status } = await control.cancel(cancelled, '?wait=10s')
  t.ok(status === 200 || status === 202, `what is parked can be cancelled: ${status}`)
  const probes = mortal.failed.filter(({ id }) => !first.includes(id)).length
  const probesMax = 1 + (performance.now() - foundMs) / PROBES_APART_MS
  t.ok(probes <= probesMax, `${probes} probes, at most ${probesMax}`)
  calling.abort()
  const wellMs = await calls

  mortal.revive()
  const last: string[] = []
  for (; (await reported(posthaste, () => true)).breakers.length > 0; await sleep(LOOK_MS))
    last.push(await accept(control, { target: mortal.url }))
  const outageMs = performance.now() - foundMs
  await mortal.untilCalled([...first, ...backlog.slice(1), ...last])
  t.notOk(mortal.called.has(cancelled), 'what was cancelled is not called')
  t.strictSame(wrongAttempts(mortal).slice(0, 5), [], 'to be parked uses no attempt')

  const after = await reported(posthaste, () => true)
  const { checkedOut, deferred, parked, retrying, spilled } = after
  // One was cancelled, and probes are parked before their next attempt.
  const parksMax = (mortal.called.size + probes + 1) * (1 + Math.floor(outageMs / PARK_MS_MIN))
  t.ok(parked <= parksMax, `${parked} parks, at most ${parksMax}`)
  const appended = endOf(after) - endOf(before)
  const accepted = wellMs.length + backlog.length + last.length
  const appendedMax = accepted + RECORDS_PER_MOVE * (parked + spilled + retrying + deferred + checkedOut)
  t.ok(appended <= appendedMax, `${appended} records appended, at most ${appendedMax}`)
  const sorted = wellMs.sort((one, other) => one - other)
  t.comment(JSON.stringify({ outageMs, probes, parked, spilled, appended, well: sorted.length }))
  t.comment(`the other's: ${sorted[sorted.length >> 1]} ms, ${sorted.at(-1)} ms at the most`)
}

async function accept(control: Control, instruction: InstructionInput): Promise<string> {
  const { json, status, text } = await control.accept(instruction)
  if (status !== 202) throw new Error(`Not accepted: ${text}`)
  return (json as { id: string }).id
}

/** Calls the target that is well, one call after the other, and returns how long each took. @throws Error if one takes long */
async function callAllTheTime(control: Control, well: TargetServer, until: AbortSignal): Promise<number[]> {
  const tookMs: number[] = []
  for (; !until.aborted; await sleep(WELL_EVERY_MS)) {
    const acceptedMs = performance.now()
    await accept(control, { target: well.url })
    await well.until(({ arrivals }) => arrivals.length > tookMs.length, WELL_MS_MAX)
    tookMs.push(performance.now() - acceptedMs)
  }
  return tookMs
}

/** Calls that succeeded with another attempt than what comes after those that were made in vain. */
function wrongAttempts({ called, failed }: MortalTarget): Arrival[] {
  const failures = new Map<string, Set<number>>()
  for (const { attempt, id } of failed) failures.set(id, (failures.get(id) ?? new Set()).add(attempt))
  return [...called.values()].filter(({ attempt, id }) => attempt !== 1 + (failures.get(id)?.size ?? 0))
}

interface Started {
  readonly control: Control
  readonly posthaste: PosthasteProcess
  readonly mortal: MortalTarget
  readonly well: TargetServer
}

async function start(t: Test, installation: Installation): Promise<Started> {
  const [mortal, well] = [await MortalTarget.start(), await TargetServer.start()]
  const client = new Client()
  // One cycle, so that its report counts everything.
  const posthaste = new PosthasteProcess({ role: 'start', settings: { ...installation.settings, linger: '1h' } })
  t.teardown(async () => {
    posthaste.kill()
    await posthaste.exited
    client.close()
    await Promise.all([mortal.stop(), well.stop()])
  })
  await posthaste.ready()
  return { control: new Control(client, posthaste.url), posthaste, mortal, well }
}

/** Resolves with the report of the one cycle once it is as awaited. */
async function reported({ url }: PosthasteProcess, isIt: (report: CycleReport) => boolean): Promise<CycleReport> {
  for (; ; await sleep(LOOK_MS)) {
    const response = await fetch(`${url}/cycle?wait=0ms`)
    const report = (await response.json()) as CycleReport
    if (isIt(report)) return report
  }
}

const endOf = ({ partitions }: CycleReport): number => partitions.reduce((sum, { end }) => sum + end, 0)

/** Puts calls on the stream, and returns their ids. */
async function fill(installation: Installation, target: string, count: number): Promise<string[]> {
  const nowMs = Date.now()
  const ids = Array.from({ length: count }, () => createId(nowMs))
  const of = (id: string): Uint8Array =>
    encodeCall({
      ...{ id, generation: 1, attempt: 1, acceptedAtMs: nowMs, depth: 0 },
      ...{ target: `${target}/`, method: 'POST', headers: {}, body: Buffer.from('{"some":"thing"}') },
    })
  await withStream(installation, async (stream) => {
    for (let from = 0; from < count; from += APPEND_RECORDS) {
      const some = ids.slice(from, from + APPEND_RECORDS)
      await stream.append(
        'calls',
        some.map((id) => ({ key: id, value: of(id) })),
      )
    }
  })
  return ids
}
