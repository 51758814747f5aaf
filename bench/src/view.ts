import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  type Call,
  createId,
  encodeCall,
  encodeJournalEntry,
  type Happening,
  type InvocationQuery,
  type InvocationState,
  journalEntryOf,
  type Outcome,
} from '@posthaste/core'
import { type Change, Environment, InvocationView, type LogRecord, type ViewRetention } from '@posthaste/storage'
import { anonymousMiB } from './process-watch.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { spreadOf } from './spread.js'

const COUNT = 1_000_000
const BATCH = 1_000
const APART = 50_000
/** So many are made at once, before they are applied. */
const PORTION = 50_000
const LOOKS = 200
const PAGE = 50
const DAY_MS = 86_400_000
const KEPT: ViewRetention = { ageMs: 10 * DAY_MS, bytes: 1e12, claimAgeMs: DAY_MS }

const ORIGINS = 50
const PATHS = 20
const BODY = Buffer.alloc(1_024, 'x')
const HEADERS = { 'content-type': 'application/json', 'user-agent': 'bench' }
const RESPONSE_HEADERS = { ...HEADERS, date: 'Mon, 01 Jun 2026 12:00:00 GMT', connection: 'keep-alive' }

// Node lets no program ask for it, unless this is set before the question.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Fills a view, and measures what it costs, what it answers, and whether what is old can go as fast as new comes. */
export async function view({ folder }: Site): Promise<void> {
  const directory = mkdtempSync(join(folder, 'view-'))
  const environment = new Environment({ directory, file: 'view.lmdb', reserveBytes: 0 })
  const open = (retention: ViewRetention) => new InvocationView({ environment, retention })
  const nowMs = Date.now()
  const filler = new Filler(open(KEPT), nowMs - COUNT)
  const [together, first, second] = [new Watch(), new Watch(), new Watch()]
  for (let done = 0; done < COUNT - APART; done += PORTION) await filler.together(together)
  for (let done = 0; done < APART; done += PORTION) await filler.apart(first, second)
  const applying = [
    together.row('come and end together', COUNT - APART),
    first.row('come alone', APART),
    second.row('end later', APART),
  ]
  printTable(`${COUNT.toLocaleString('en')} invocations applied, ${BATCH} at a time`, applying)
  const size = statSync(join(directory, 'view.lmdb')).size
  console.log(
    `\n  ${Math.round(size / COUNT)} bytes each on disk, ${Math.round(anonymousMiB(process.pid))} MiB of memory`,
  )

  const reading = [
    readGet(open(KEPT), filler),
    ...queries(nowMs).map(([name, query]) => readList(open(KEPT), name, query)),
  ]
  printTable(`Reads, ${LOOKS} of each`, reading)

  const retaining = await retain(open({ ...KEPT, ageMs: 0 }), filler)
  printTable('Retention, while as many come', retaining)
  writeResult('view', { count: COUNT, bytes: size, applying, reading, retaining })
  await environment.close()
  rmSync(directory, { recursive: true })
}

/** Makes invocations, a millisecond apart, and applies them. */
class Filler {
  readonly ids: string[] = []
  readonly #view: InvocationView
  readonly #startMs: number
  readonly #positions = { calls: 0, journal: 0 }
  #made = 0

  constructor(view: InvocationView, startMs: number) {
    this.#view = view
    this.#startMs = startMs
  }

  async together(watch: Watch, afterEach?: () => Promise<void>): Promise<void> {
    for (const { calls, journal } of this.#makePortion()) {
      await watch.time(() => this.#view.apply([this.#change('calls', calls), this.#change('journal', journal)]))
      await afterEach?.()
    }
  }

  /** Those that are seen to wait before they end. */
  async apart(first: Watch, second: Watch): Promise<void> {
    for (const { calls, journal } of this.#makePortion()) {
      await first.time(() => this.#view.apply([this.#change('calls', calls)]))
      await second.time(() => this.#view.apply([this.#change('journal', journal)]))
    }
  }

  /** Batches, with what their making left behind cleared away: it would be counted as work of the view. */
  #makePortion() {
    const batches = Array.from({ length: PORTION / BATCH }, () => this.#make())
    collectGarbage()
    return batches
  }

  #change(log: 'calls' | 'journal', records: readonly LogRecord[]): Change {
    const from = this.#positions[log]
    this.#positions[log] += records.length
    return { log, from: from === 0 ? undefined : String(from), to: String(from + records.length), records }
  }

  #make() {
    const calls: LogRecord[] = []
    const journal: LogRecord[] = []
    for (let at = 0; at < BATCH; at += 1) {
      const index = this.#made
      this.#made += 1
      const call = callOf(index, this.#startMs + index)
      this.ids.push(call.id)
      const record = { partition: 0, offset: index, key: call.id, appendedAtMs: call.acceptedAtMs }
      const value = encodeCall(call)
      calls.push({ ...record, value })
      const end = endOf(index, call, value)
      if (end) journal.push({ ...record, value: end })
    }
    return { calls, journal }
  }
}

function callOf(index: number, ms: number): Call {
  // One of a hundred thousand is at a place where nothing else is.
  const isRare = index % 100_000 === 0
  const target = isRare
    ? 'https://rare.example/'
    : `https://host${index % ORIGINS}.example/path/${index % (ORIGINS * PATHS)}`
  return {
    ...{ id: createId(ms), generation: 1, attempt: 1, acceptedAtMs: ms, depth: 0 },
    ...{ target, method: 'POST', headers: HEADERS, body: BODY },
    ...(index % 2 === 0 && { correlationId: index % 10 === 0 ? 'common' : `order-${Math.floor(index / 10)}` }),
    ...(index % 97 === 0 && { notBeforeMs: ms + DAY_MS }),
  }
}

/** How a call ended: most succeed; some are put off, some still wait, some retry, some are dead letters. */
function endOf(index: number, call: Call, record: Uint8Array): Uint8Array | undefined {
  if (index % 97 === 0 || index % 101 === 0) return undefined
  const atMs = call.acceptedAtMs + 5
  const failure = { code: 'status', detail: 'The target answered 500.' } as const
  const what: Happening =
    index % 53 === 0
      ? { atMs, state: 'failed', failure, record }
      : index % 103 === 0
        ? { atMs, state: 'retrying', failure, nextAttemptAtMs: atMs + DAY_MS }
        : { atMs, state: 'succeeded' }
  const body = Buffer.from('{"ok":true}')
  const response = { status: what.failure ? 500 : 200, headers: RESPONSE_HEADERS, body, bodyBytes: body.length }
  const outcome: Outcome = { kind: 'answered', startedAtMs: atMs - 3, durationMs: 2.345, response }
  return encodeJournalEntry(journalEntryOf(call, { ...what, listener: 'http://127.0.0.1:8080' }, outcome))
}

function queries(nowMs: number): [string, Partial<InvocationQuery>][] {
  const going: InvocationState[] = ['scheduled', 'queued', 'running', 'retrying']
  const [rare, target, origin] = ['https://rare.example/', 'https://host7.example/path/7', 'https://host7.example']
  const correlationId = 'order-40000'
  return [
    ['all', {}],
    ['succeeded', { states: ['succeeded'] }],
    ['dead letters', { states: ['failed', 'expired'] }],
    ['what goes on', { states: going }],
    ['running: none', { states: ['running'] }],
    ['target', { target }],
    ['target, dead letters', { target, states: ['failed', 'expired'] }],
    ['target, cancelled: none', { target, states: ['cancelled'] }],
    ['rare target', { target: rare }],
    ['origin', { target: origin }],
    ['origin, what goes on', { target: origin, states: going }],
    ['correlation', { correlationId }],
    ['correlation, cancelled: none', { correlationId, states: ['cancelled'] }],
    ['correlation, rare target: none', { correlationId, target: rare }],
    ['common correlation, other target: none', { correlationId: 'common', target }],
    ['an hour ago', { createdBeforeMs: nowMs - COUNT / 2 }],
    [
      'in one second, dead letters',
      { createdAfterMs: nowMs - COUNT / 2, createdBeforeMs: nowMs - COUNT / 2 + 1_000, states: ['failed'] },
    ],
    ['before all: none', { createdBeforeMs: nowMs - 2 * COUNT }],
    ['all, 500 at once', { limit: 500 }],
  ]
}

function readGet(view: InvocationView, { ids }: Filler) {
  const looks = Array.from({ length: LOOKS * 10 }, () => ids[Math.floor(Math.random() * ids.length)] as string)
  const ms = spreadMs(looks.map((id) => () => view.get(id)))
  return { read: 'get', found: looks.length, more: 'no', ...ms, aim: 'p99 below 2' }
}

function readList(view: InvocationView, read: string, query: Partial<InvocationQuery>) {
  const list = () => view.list({ limit: PAGE, ...query })
  const { items, next } = list()
  const ms = spreadMs(Array.from({ length: LOOKS }, () => list))
  return { read, found: items.length, more: next ? 'yes' : 'no', ...ms, aim: 'p99 below 20' }
}

function spreadMs(reads: readonly (() => unknown)[]) {
  const ms = reads.map((read) => {
    const startedMs = performance.now()
    read()
    return performance.now() - startedMs
  })
  const { max, p50, p99 } = spreadOf(Float64Array.from(ms))
  return { 'p50 ms': p50, 'p99 ms': p99, 'max ms': max }
}

/** Removes what has ended, a portion after each batch that comes. */
async function retain(view: InvocationView, filler: Filler) {
  const [coming, going] = [new Watch(), new Watch()]
  let removed = 0
  await filler.together(coming, () =>
    going.time(async () => {
      removed += await view.applyRetention(Date.now())
    }),
  )
  return [
    { ...coming.row('come', PORTION), aim: '' },
    { ...going.row('go', removed), aim: 'a second: as many as come' },
  ]
}

/** Counts CPU time of the process, and time. */
class Watch {
  #cpuUs = 0
  #ms = 0

  async time(work: () => Promise<unknown>): Promise<void> {
    const [cpu, startedMs] = [process.cpuUsage(), performance.now()]
    await work()
    const { system, user } = process.cpuUsage(cpu)
    this.#cpuUs += system + user
    this.#ms += performance.now() - startedMs
  }

  row(what: string, count: number) {
    const perS = Math.round((count * 1_000) / this.#ms)
    return { what, count, 'CPU µs each': this.#cpuUs / count, 'a second': perS }
  }
}
