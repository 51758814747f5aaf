import { setTimeout as sleep } from 'node:timers/promises'
import { decodeCall, type InstructionInput, type JournalEntry, LIMITS } from '@posthaste/core'
import t, { type Test } from 'tap'
import { Client } from './harness/client.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { type Installation, withStream } from './harness/installation.js'
import { isFinal, readJournal } from './harness/journal.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { type Script, TargetServer } from './harness/target-server.js'

const RESPONSE_BYTES = 256 * 1024
const LOOK_MS = 10
const ENDED_MS_MAX = 40_000

t.test('the largest instruction goes all the way', async (t) => {
  const { client, installation, posthaste, target } = await setUp(t)
  const largeHeaders = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`x-large-${n}`, 'h'.repeat(1_000)]))
  const response = { headers: { 'content-type': 'text/odd', ...largeHeaders }, body: 'r'.repeat(RESPONSE_BYTES) }
  target.script = ({ path }) => (path === '/done' ? {} : { status: 500, ...response })
  const instruction: InstructionInput = {
    target: `${target.url}/fails`,
    forwardTo: `${target.url}/done`,
    retry: { maxAttempts: 3, initialDelay: '10ms' },
  }
  const body = await largestBody(client, posthaste.url, instruction)
  const refused = await client.post(posthaste.url, { ...instruction, body: `${body}x` })
  t.equal(refused.status, 413, 'one byte more is refused')
  t.match(refused.json, { code: 'too-large', detail: String(LIMITS.recordBytesMax) })
  const id = await client.accept(posthaste.url, { ...instruction, body })
  await target.until(({ arrivals }) => arrivals.some(({ path }) => path === '/done'))
  await posthaste.stop()

  const calls = target.of(id).filter(({ path }) => path === '/fails')
  t.strictSame(
    calls.map(({ attempt }) => attempt),
    [1, 2, 3],
    'called and retried',
  )
  t.ok(
    calls.every((call) => call.body === body),
    'each with the whole body',
  )
  const forward = target.arrivals.find(({ path }) => path === '/done')
  t.ok(forward?.body === response.body, 'the whole response is forwarded')
  const entries = (await readJournal(installation)).filter((entry) => entry.id === id)
  t.strictSame(
    entries.map(({ state }) => state),
    ['retrying', 'retrying', 'failed'],
  )
  const letter = entries.at(-1) as JournalEntry
  t.match(letter, { failure: { code: 'status' }, response: { status: 500, bodyBytes: RESPONSE_BYTES } })
  t.equal(Buffer.from(letter.responseBody).toString(), response.body)
  t.ok(letter.record.length >= LIMITS.recordBytesMax, `the dead letter holds ${letter.record.length} bytes`)
  const { call } = decodeCall(letter.record, { log: 'calls', partition: 0, offset: 0, appendedAtMs: 0 })
  t.match(call, { id, attempt: 3, target: instruction.target, forwardTo: instruction.forwardTo })
  t.ok(Buffer.from(call.body).toString() === body, 'the dead letter can be sent again')
})

t.test('a response beyond the capture limit is not forwarded as if it were whole', async (t) => {
  const { client, installation, posthaste, target } = await setUp(t)
  const seen = new Map<string, unknown>()
  target.script = ({ path, body }, { headers }) => {
    if (path.startsWith('/done')) seen.set(path, { body, truncated: headers['posthaste-truncated'] })
    return { body: 'r'.repeat(path === '/larger' ? RESPONSE_BYTES + 1 : RESPONSE_BYTES) }
  }
  for (const path of ['largest', 'larger']) {
    const instruction = { target: `${target.url}/${path}`, forwardTo: `${target.url}/done/${path}` }
    await client.accept(posthaste.url, instruction)
  }
  await target.until(() => seen.size === 2)
  await posthaste.stop()
  t.strictSame(seen.get('/done/largest'), { body: 'r'.repeat(RESPONSE_BYTES), truncated: undefined })
  t.strictSame(seen.get('/done/larger'), { body: '', truncated: String(RESPONSE_BYTES + 1) })
  const entry = (await readJournal(installation)).find(({ target }) => target?.endsWith('/larger'))
  t.match(entry, { state: 'succeeded', response: { bodyBytes: RESPONSE_BYTES + 1 } })
  t.equal(entry?.responseBody.length, 0)
})

t.test('records of other producers', async (t) => {
  const { installation, posthaste, target } = await setUp(t)
  const pretty = { target: `${target.url}/pretty`, headers: { 'x-a': ['1', '2'] }, body: { any: 'json' } }
  const garbage = Buffer.from([0x7b, 0x00, 0xff, 0x0a, 0x80])
  const large = Buffer.from(JSON.stringify({ target: target.url, body: 'x'.repeat(2 * LIMITS.recordBytesMax) }))
  await append(installation, [
    Buffer.from(JSON.stringify(pretty, undefined, 2)),
    garbage,
    Buffer.from(JSON.stringify({ target: 'ftp://192.0.2.1/' })),
    large,
    Buffer.from(JSON.stringify({ target: `${target.url}/last` })),
  ])
  await target.until(({ arrivals }) => arrivals.length === 2)
  await posthaste.stop()

  const call = target.arrivals.find(({ path }) => path === '/pretty')
  t.match(call, { method: 'POST', attempt: 1, generation: 1, body: '{"any":"json"}' })
  t.match(call?.id, /^[0-9a-f-]{36}$/, 'it has an id that follows from its place')
  t.ok(
    target.arrivals.some(({ path }) => path === '/last'),
    'nothing holds up what stands behind',
  )

  const entries = await readJournal(installation)
  t.equal(entries.length, 5, 'every record has an end')
  t.equal(new Set(entries.map(({ id }) => id)).size, 5)
  const letters = entries.filter(({ state }) => state === 'failed')
  const [unreadable, invalid, tooLarge] = letters as [JournalEntry, JournalEntry, JournalEntry]
  t.equal(unreadable.failure?.code, 'record-unreadable')
  t.strictSame(Buffer.from(unreadable.record), garbage, 'with the bytes that came')
  t.match(invalid.failure, { code: 'record-unreadable', detail: '/target' })
  t.equal(tooLarge.failure?.code, 'too-large')
  t.match(tooLarge.failure?.detail, new RegExp(`of ${large.length} bytes are kept`))
  const kept = Buffer.from(tooLarge.record)
  t.ok(kept.length >= LIMITS.recordBytesMax && kept.equals(large.subarray(0, kept.length)), 'with what fits of it')
})

t.test('a record of a newer version stops the listener and loses nothing', async (t) => {
  const { client, installation, posthaste, target } = await setUp(t)
  const record = (v: number, path: string) => Buffer.from(JSON.stringify({ v, target: `${target.url}/${path}` }))
  await append(installation, [record(1, 'before'), record(2, 'newer'), record(1, 'behind')])
  await target.until(({ arrivals }) => arrivals.length === 1)
  await untilNotReady(client, posthaste.url, /version 2/)
  await client.accept(posthaste.url, { target: `${target.url}/accepted` })
  const ping = await client.request(`${posthaste.url}/cycle?wait=200ms`)
  t.equal(ping.status, 202)
  t.match(ping.json, { drained: false, blocked: /version 2/ })
  await posthaste.stop()

  const again = new PosthasteProcess({ role: 'start', settings: installation.settings })
  await again.listening()
  // A restart does not help.
  await untilNotReady(client, again.url, /version 2/)
  await again.stop()
  t.strictSame(
    target.arrivals.map(({ path }) => path),
    ['/before'],
    'nothing behind it was called',
  )
  const values = await withStream(installation, async (stream) => {
    const [progress] = await (await stream.consume('listeners')).progress()
    t.equal(progress?.committed, 1)
    const found: string[] = []
    for await (const { records } of stream.follow('calls', '1', { untilEnd: true }))
      found.push(...records.map(({ value }) => Buffer.from(value).toString()))
    return found
  })
  t.match(values, [/newer/, /behind/, /accepted/], 'all of it waits for the upgrade')
  t.strictSame(
    (await readJournal(installation)).map(({ state }) => state),
    ['succeeded'],
  )
})

t.test('a loop through our own accepter ends', async (t) => {
  const { client, installation, posthaste, target } = await setUp(t)
  const loop = { target: `${target.url}/loop`, forwardTo: `${posthaste.url}/invocations` }
  target.script = () => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(loop) })

  await t.test('where a forward would be too deep', async (t) => {
    await client.accept(posthaste.url, loop)
    // Each round is two deep: the call, and the forward that asks for the next.
    const entries = await untilEnded(installation, LIMITS.depthMax + 1)
    t.equal(target.arrivals.length, LIMITS.depthMax / 2 + 1)
    t.ok(entries.every(({ state }) => state === 'succeeded'))
    const refusals = entries.flatMap(({ forward }) => (forward && 'refused' in forward ? [forward] : []))
    t.strictSame(refusals, [{ refused: 'depth-exceeded' }], 'the refusal is recorded')
  })

  await t.test('where the accepter refuses what is too deep', async (t) => {
    const calls = target.arrivals.length
    const response = await fetch(`${posthaste.url}/invocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'posthaste-depth': '0' },
      body: JSON.stringify(loop),
    })
    t.equal(response.status, 202)
    const entries = await untilEnded(installation, 2 * LIMITS.depthMax + 1)
    t.equal(target.arrivals.length - calls, LIMITS.depthMax / 2)
    const failed = entries.filter(({ state }) => state === 'failed')
    t.equal(failed.length, 1)
    const last = failed[0] as JournalEntry
    t.match(last, { state: 'failed', attempt: 1, failure: { code: 'status' }, response: { status: 422 } })
    t.match(JSON.parse(Buffer.from(last.responseBody).toString()), { code: 'depth-exceeded' })
  })
  await posthaste.stop()
  t.equal((await finalEntries(installation)).length, 2 * LIMITS.depthMax + 1, 'and nothing comes of them later')
})

async function setUp(t: Test, script?: Script) {
  const installation = createEmbedded(t)
  const target = await TargetServer.start(script)
  t.after(() => target.stop())
  const client = new Client()
  t.after(() => client.close())
  const posthaste = await PosthasteProcess.start({ role: 'start', settings: installation.settings })
  return { client, installation, posthaste, target }
}

/** Asks for the limit by going beyond it, and returns the largest body that fits. */
async function largestBody(client: Client, url: string, instruction: InstructionInput): Promise<string> {
  const tried = 'x'.repeat(LIMITS.recordBytesMax)
  const { json } = await client.post(url, { ...instruction, body: tried })
  const numbers = (json as { detail: string }).detail.match(/\d+/g) ?? []
  const [bytes, limit] = numbers.map(Number) as [number, number]
  return tried.slice(bytes - limit)
}

/** Writes records to `calls` as another process does that knows nothing of ours. */
function append(installation: Installation, values: readonly Uint8Array[]): Promise<void> {
  return withStream(installation, (stream) =>
    stream.append(
      'calls',
      values.map((value) => ({ key: '', value })),
    ),
  )
}

/** Waits until `/readyz` answers 503, for this reason: that it has just been started is another. */
async function untilNotReady(client: Client, url: string, reason: RegExp): Promise<void> {
  for (;;) {
    const { json, status } = await client.request(`${url}/readyz`)
    const { code, reasons } = json as { code?: string; reasons?: string[] }
    if (status === 503 && code === 'not-ready' && reasons?.some((one) => reason.test(one))) return
    await sleep(LOOK_MS)
  }
}

/** Waits for so many ends. They are in no certain order: a forward has called its accepter before its own end is known. */
async function untilEnded(installation: Installation, count: number): Promise<JournalEntry[]> {
  let ended = 0
  for (const untilMs = performance.now() + ENDED_MS_MAX; performance.now() < untilMs; await sleep(LOOK_MS)) {
    const entries = await finalEntries(installation)
    if (entries.length >= count) return entries
    ended = entries.length
  }
  throw new Error(`${ended} of ${count} have ended.`)
}

async function finalEntries(installation: Installation): Promise<JournalEntry[]> {
  return (await readJournal(installation)).filter(isFinal)
}
