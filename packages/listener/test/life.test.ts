import { gunzipSync, gzipSync } from 'node:zlib'
import {
  type Call,
  createId,
  DEFAULT_RETRY_POLICY,
  decodeCall,
  encodeCall,
  forwardId,
  type JournalEntry,
} from '@posthaste/core'
import t from 'tap'
import { finalStates, readJournal, runOne, startListener, startTarget, submit, until } from './setting.js'

const PROMPT = { jitter: 'none', initialDelay: '30ms', factor: 2 } as const

/** On a busy machine; on an idle one it is some milliseconds. */
const LATE_MS_MAX = 5_000

t.test('a call that fails is made again, later each time, until it succeeds', async (t) => {
  const target = await startTarget(t, ({ headers }, response) => {
    response.writeHead(Number(headers['posthaste-attempt']) < 4 ? 503 : 200).end()
  })
  const running = await startListener(t)
  const { id } = await runOne(running, { target: target.url, body: 'same', retry: { ...PROMPT, maxAttempts: 5 } })
  const journal = await readJournal(running.stream)
  t.strictSame(
    journal.map(({ state, attempt }) => [state, attempt]),
    [
      ['retrying', 1],
      ['retrying', 2],
      ['retrying', 3],
      ['succeeded', 4],
    ],
  )
  for (const [index, waitMs] of [30, 60, 120].entries()) {
    const [entry, next] = [journal[index], target.seen[index + 1]] as const
    const dueMs = entry?.nextAttemptAtMs ?? 0
    t.equal(dueMs - (entry?.atMs ?? 0), waitMs)
    t.ok(next && next.atMs >= dueMs, `attempt ${index + 2} is not early`)
    t.ok(next && next.atMs < dueMs + LATE_MS_MAX, `attempt ${index + 2} is not late`)
  }
  t.strictSame(
    target.seen.map(({ headers, body }) => [headers['posthaste-id'], headers['idempotency-key'], body.toString()]),
    target.seen.map(() => [id, id, 'same']),
  )
  const { called, succeeded, retrying, pulled } = await running.listener.report()
  t.match({ called, succeeded, retrying, pulled }, { called: 4, succeeded: 1, retrying: 3, pulled: 4 })
})

t.test('what passes by itself is tried again, what does not is not', async (t) => {
  const target = await startTarget(t, ({ url }, response) => response.writeHead(Number(url.slice(1))).end())
  const running = await startListener(t)
  const retry = { ...PROMPT, initialDelay: '1ms', maxAttempts: 2 }
  for (const status of [400, 404, 409, 501, 302])
    t.equal((await runOne(running, { target: `${target.url}/${status}`, retry })).attempt, 1, `${status}`)
  for (const status of [408, 425, 429, 500, 502, 503, 504])
    t.equal((await runOne(running, { target: `${target.url}/${status}`, retry })).attempt, 2, `${status}`)
  t.equal((await runOne(running, { target: 'http://127.0.0.1:1/', retry })).attempt, 2, 'no answer')
})

t.test('what fails for good is recorded with its reason, its last response and the record', async (t) => {
  const target = await startTarget(t, (_, response) => response.writeHead(500, { 'x-a': 'b' }).end('broken'))
  const running = await startListener(t)
  const instruction = { target: target.url, body: 'what it was', retry: { ...PROMPT, maxAttempts: 3 } }
  const entry = await runOne(running, instruction, { correlationId: 'order-42' })
  t.match(entry, {
    state: 'failed',
    attempt: 3,
    generation: 1,
    target: `${target.url}/`,
    method: 'POST',
    correlationId: 'order-42',
    failure: { code: 'status', detail: 'The target answered 500.' },
    response: { status: 500, headers: { 'x-a': 'b' } },
  })
  t.equal(Buffer.from(entry.responseBody).toString(), 'broken')
  const { call } = decodeCall(entry.record, { log: 'calls', partition: 0, offset: 0, appendedAtMs: 0 })
  t.match(call, { id: entry.id, attempt: 3, target: `${target.url}/` })
  t.equal(Buffer.from(call.body).toString(), 'what it was')
  t.equal(target.seen.length, 3)
})

t.test("the listener's own policy counts where the instruction has none", async (t) => {
  const target = await startTarget(t, (_, response) => response.writeHead(500).end())
  const retry = { ...DEFAULT_RETRY_POLICY, maxAttempts: 3, initialDelayMs: 1, maxDelayMs: 1 }
  const running = await startListener(t, { retry })
  t.equal((await runOne(running, { target: target.url })).attempt, 3)
  t.equal((await runOne(running, { target: target.url, retry: { maxAttempts: 2 } })).attempt, 2)
})

t.test('a response is forwarded once, as a call of its own', async (t) => {
  const target = await startTarget(t, ({ url }, response) => {
    if (url === '/done') response.end('thanks')
    else response.writeHead(201, { 'content-type': 'image/png', 'set-cookie': 'a=b' }).end(Buffer.from([1, 0, 2]))
  })
  const running = await startListener(t)
  const instruction = { target: target.url, forwardTo: `${target.url}/done`, correlationId: 'order-42' }
  const entry = await runOne(running, instruction)
  const finals = await finalStates(running.stream, 2)
  const [, forward, ...more] = target.seen
  t.equal(more.length, 0)
  const id = forwardId(entry)
  t.equal(forward?.method, 'POST')
  t.equal(forward?.url, '/done')
  t.strictSame([...(forward?.body ?? [])], [1, 0, 2])
  t.match(forward?.headers, {
    'content-type': 'image/png',
    'posthaste-id': entry.id,
    'posthaste-state': 'succeeded',
    'posthaste-status': '201',
    'posthaste-duration-seconds': /^\d+\.\d{6}$/,
    'posthaste-correlation-id': 'order-42',
    'posthaste-attempt': '1',
    'posthaste-depth': '1',
    'idempotency-key': id,
  })
  for (const name of ['posthaste-error', 'posthaste-truncated', 'set-cookie', 'authorization'])
    t.notOk(forward?.headers[name], name)
  t.match(
    finals.find((final) => final.id === id),
    { state: 'succeeded', parent: entry.id, correlationId: 'order-42' },
  )
  t.match(entry.forward, { id })
})

t.test('a failure and an expiry are forwarded too', async (t) => {
  const target = await startTarget(t, ({ url }, response) => response.writeHead(url === '/done' ? 200 : 500).end('no'))
  const running = await startListener(t)
  const forwardTo = `${target.url}/done`
  const forwarded = () => target.seen.filter(({ url }) => url === '/done').at(-1)
  const forwards = () => target.seen.filter(({ url }) => url === '/done').length

  await runOne(running, { target: target.url, forwardTo, retry: { ...PROMPT, maxAttempts: 2 } })
  await until(() => forwards() === 1)
  t.match(forwarded()?.headers, { 'posthaste-state': 'failed', 'posthaste-status': '500' })
  t.equal(forwarded()?.body.toString(), 'no')

  await runOne(running, { target: 'http://127.0.0.1:1/', forwardTo })
  await until(() => forwards() === 2)
  t.match(forwarded()?.headers, { 'posthaste-state': 'failed', 'posthaste-error': 'connection-refused' })
  t.notOk(forwarded()?.headers['posthaste-status'])
  t.equal(forwarded()?.headers['content-length'], '0')

  const nowMs = Date.now()
  await runOne(running, { target: target.url, forwardTo }, { acceptedAtMs: nowMs - 2_000, expiresAtMs: nowMs - 1_000 })
  await until(() => forwards() === 3)
  t.match(forwarded()?.headers, { 'posthaste-state': 'expired' })
  t.notOk(forwarded()?.headers['posthaste-duration-seconds'], 'it was not called')
  t.equal(forwards(), 3)
})

t.test('a response that is encoded is forwarded as it came', async (t) => {
  const text = 'an answer '.repeat(100)
  const target = await startTarget(t, ({ headers, url }, response) => {
    if (url === '/done') return response.end()
    return response.writeHead(200, { 'content-encoding': headers['accept-encoding'] }).end(gzipSync(text))
  })
  const running = await startListener(t)
  const instruction = { target: target.url, headers: { 'accept-encoding': 'gzip' }, forwardTo: `${target.url}/done` }
  await runOne(running, instruction)
  await until(() => target.seen.length === 2)
  const forward = target.seen[1]
  t.equal(forward?.headers['content-encoding'], 'gzip')
  t.equal(gunzipSync(forward?.body ?? '').toString(), text)
})

t.test('a response that was too large to keep does not pose as whole', async (t) => {
  const target = await startTarget(t, ({ url }, response) => response.end(url === '/done' ? '' : Buffer.alloc(5_000)))
  const running = await startListener(t, { responseBytesMax: 1_000 })
  await runOne(running, { target: target.url, forwardTo: `${target.url}/done` })
  await until(() => target.seen.length === 2)
  t.match(target.seen[1]?.headers, { 'posthaste-truncated': '5000', 'posthaste-status': '200', 'content-length': '0' })
})

t.test('a forward that fails is retried, and is a dead letter of its own in the end', async (t) => {
  const target = await startTarget(t, ({ url }, response) => response.writeHead(url === '/done' ? 500 : 200).end())
  const retry = { ...DEFAULT_RETRY_POLICY, maxAttempts: 2, initialDelayMs: 1, maxDelayMs: 1 }
  const running = await startListener(t, { retry })
  const entry = await runOne(running, { target: target.url, forwardTo: `${target.url}/done` })
  const finals = await finalStates(running.stream, 2)
  t.equal(entry.state, 'succeeded')
  t.match(finals[1], { state: 'failed', attempt: 2, parent: entry.id })
  t.equal(target.seen.length, 3)
})

t.test('a chain that is too long is not forwarded any more', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  const entry = await runOne(running, { target: target.url, forwardTo: `${target.url}/done` }, { depth: 8 })
  t.equal(entry.state, 'succeeded')
  t.match(entry.forward, { refused: 'depth-exceeded' })
  t.match(await running.listener.ping('ping', 5_000), { drained: true, pulled: 1 })
  t.equal(target.seen.length, 1)
})

t.test('what has expired is not called', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  const nowMs = Date.now()
  const entry = await runOne(running, { target: target.url }, { acceptedAtMs: nowMs - 10, expiresAtMs: nowMs - 5 })
  t.match(entry, { state: 'expired', failure: { code: 'expired' } })
  t.ok(entry.record.length > 0, 'it is a dead letter')
  t.equal(target.seen.length, 0)
  t.match(await running.listener.report(), { expired: 1, called: 0 })
})

t.test('what would expire before the next attempt is not tried again', async (t) => {
  const target = await startTarget(t, (_, response) => response.writeHead(500).end())
  const running = await startListener(t)
  const retry = { ...PROMPT, initialDelay: '1h', maxDelay: '1h', maxAttempts: 9 }
  const entry = await runOne(running, { target: target.url, expiresIn: '30s', retry })
  t.match(entry, { state: 'expired', attempt: 1, failure: { code: 'status' }, response: { status: 500 } })
})

t.test('what is deferred is called at its time, not before and not long after', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  await running.listener.ping('ping', 0)
  const delays = [0, 1, 50, 200, 200, 400]
  const calls = await submit(
    running.stream,
    delays.map((ms) => ({ target: target.url, delay: `${ms}ms` })),
  )
  await finalStates(running.stream, delays.length)
  for (const [index, call] of calls.entries()) {
    const seen = target.seen.find(({ headers }) => headers['posthaste-id'] === call.id)
    const lateMs = (seen?.atMs ?? 0) - (call.notBeforeMs as number)
    t.ok(lateMs >= 0 && lateMs < LATE_MS_MAX, `${delays[index]} ms: ${lateMs} ms after its time`)
  }
  t.equal(target.seen.length, delays.length)
  const { deferred, called } = await running.listener.report()
  t.ok(deferred >= 3 && called === 6, `${deferred} deferred`)
})

t.test('records of other producers are called as well, or are dead letters', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t, { recordBytesMax: 5_000 })
  await running.listener.ping('ping', 0)
  const records = [
    JSON.stringify({ target: `${target.url}/plain`, body: { a: 1 } }, undefined, 2),
    `${JSON.stringify({ target: `${target.url}/raw`, bodyBytes: 3, headers: { 'posthaste-own': 'a', 'x-own': 'b' } })}\n\u0000\n!`,
    '',
    'not JSON',
    '{"method": "GET"}',
    JSON.stringify({ target: target.url, attempt: 0 }),
    JSON.stringify({
      ...{ id: 'large', generation: 2, attempt: 3, target: `${target.url}/large`, body: 'a'.repeat(6_000) },
      forwardTo: `${target.url}/told`,
    }),
  ]
  for (const text of records) await running.stream.append('calls', [{ key: '', value: Buffer.from(text) }])
  const finals = await finalStates(running.stream, records.length + 1)
  const by = (state: string): JournalEntry[] => finals.filter((entry) => entry.state === state)
  t.strictSame(target.seen.map(({ url, body }) => [url, body.toString()]).sort(), [
    ['/plain', '{"a":1}'],
    ['/raw', '\u0000\n!'],
    ['/told', ''],
  ])
  const raw = target.seen.find(({ url }) => url === '/raw')?.headers
  t.equal(raw?.['x-own'], 'b')
  t.notOk(raw?.['posthaste-own'], 'what is ours to say nobody else says')
  const codes = by('failed').map(({ failure }) => failure?.code)
  t.strictSame(codes.sort(), [
    'record-unreadable',
    'record-unreadable',
    'record-unreadable',
    'record-unreadable',
    'too-large',
  ])
  const tooLarge = by('failed').find(({ failure }) => failure?.code === 'too-large')
  t.match(tooLarge, { id: 'large', generation: 2, attempt: 3, target: `${target.url}/large` }, 'it says what it is')
  t.equal(tooLarge?.record.length, 5_000, 'as much as fits is kept')
  t.match(tooLarge?.failure?.detail, 'Only the first 5000 of')
  const unread = by('failed').find(({ record }) => Buffer.from(record).toString() === 'not JSON')
  t.ok(unread, 'what could not be read is kept as it was')
  t.match(await running.listener.ping('ping', 5_000), { drained: true, failed: 5, succeeded: 3 })
})

t.test('a record of a newer version stops the listener, says why, and harms no other record', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  await submit(running.stream, [{ target: `${target.url}/before` }])
  await running.stream.append('calls', [{ key: 'a', value: Buffer.from('{"v": 2, "new": true}') }])
  await submit(running.stream, [{ target: `${target.url}/after` }])
  await running.listener.ping('ping', 0)
  await until(() => running.listener.blocked !== undefined)
  await finalStates(running.stream, 1)
  const report = await running.listener.report()
  t.match(report.blocked, 'version 2')
  const startedMs = performance.now()
  t.match(await running.listener.ping('ping', 60_000), { drained: false })
  t.ok(performance.now() - startedMs < 10_000, 'a ping does not wait for what cannot be')
  t.strictSame(
    (await readJournal(running.stream)).map(({ state }) => state),
    ['succeeded'],
    'nothing became a dead letter',
  )
  await running.listener.stop(1_000)
  t.equal((await running.consumer.progress())[0]?.committed, 1, 'whoever can read it goes on from there')
})

t.test('a record that comes twice is called once', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  const nowMs = Date.now()
  const call: Call = {
    id: createId(nowMs),
    generation: 1,
    attempt: 1,
    acceptedAtMs: nowMs,
    depth: 0,
    target: `${target.url}/`,
    method: 'GET',
    headers: {},
    body: new Uint8Array(),
  }
  const record = { key: call.id, value: encodeCall(call) }
  await running.stream.append('calls', [record, record])
  t.match(await running.listener.ping('ping', 10_000), { drained: true, called: 1, repeated: 1 })
  await running.stream.append('calls', [record])
  t.match(
    await running.listener.ping('ping', 10_000),
    { drained: true, called: 1, repeated: 2 },
    'also once it has ended',
  )
  t.strictSame(
    (await readJournal(running.stream)).map(({ id, state }) => [id, state]),
    [[call.id, 'succeeded']],
  )
  t.equal(target.seen.length, 1)
})
