import { type Call, decodeCall, LIMITS, PosthasteError } from '@posthaste/core'
import type { LogName, NewRecord } from '@posthaste/stream'
import t from 'tap'
import { ask } from './api-client.js'
import { failed, type Installed, install, Listener, startOne, startTwo } from './installation.js'
import { openStreams, RECORD_BYTES_MAX, readCalls, TARGET } from './setting.js'

function fail(shown: Installed, count: number, more: object = {}): Promise<string[]> {
  return failed(shown, Array(count).fill({ target: TARGET, ...more }))
}

/** The calls of later generations on the stream. */
async function redrivenIn({ stream }: Pick<Installed, 'stream'>): Promise<Call[]> {
  const calls = (await readCalls(stream)).map((record) => decodeCall(record.value, record).call)
  return calls.filter(({ generation }) => generation > 1)
}

t.test('a dead letter is sent again as its next generation', async (t) => {
  const one = await startOne(t)
  const { stream, url, view } = one
  const more = {
    headers: { authorization: 'secret' },
    body: 'hello',
    correlationId: 'order-42',
    expiresIn: '1h',
    delay: '1ms',
  }
  const [id = ''] = await fail(one, 1, more)
  const [first] = (await readCalls(stream)).map((record) => decodeCall(record.value, record).call)
  const askedMs = Date.now()
  const { headers, json, status } = await ask(url, 'redriveInvocation', { id })
  t.equal(status, 202)
  t.strictSame(json, { id, generation: 2, state: 'queued' })
  t.equal(headers.get('location'), `/invocations/${id}`)
  t.match((await ask(url, 'getInvocation', { id })).json, { id, state: 'queued', generation: 2, attemptsMade: 0 })
  const { expiresAtMs: _, notBeforeMs: __, ...same } = first as Call
  const [redriven] = await redrivenIn(one)
  const { sinceMs = 0 } = redriven ?? {}
  t.strictSame(redriven, { ...same, generation: 2, attempt: 1, sinceMs })
  t.ok(sinceMs >= askedMs && sinceMs <= Date.now(), 'it is as old as that')

  const again = await ask(url, 'redriveInvocation', { id })
  t.equal(again.status, 409)
  t.match(again.json, { code: 'not-redrivable', detail: /generation 2 is queued/ })

  const listener = new Listener(stream)
  await listener.fail(await listener.callOf(view, id), 'expired')
  await ask(url, 'getInvocation', { id, query: { wait: '30s' } })
  t.equal((await ask(url, 'redriveInvocation', { id })).json.generation, 3)
})

t.test('what is no dead letter, or cannot be read, is not redriven', async (t) => {
  const one = await startOne(t)
  const { stream, url, view } = one
  const listener = new Listener(stream)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  const call = await listener.callOf(view, id)
  t.match((await ask(url, 'redriveInvocation', { id })).json, { status: 409, code: 'not-redrivable' })
  await listener.succeed(call)
  await ask(url, 'getInvocation', { id, query: { wait: '30s' } })
  t.match((await ask(url, 'redriveInvocation', { id })).json, { status: 409, code: 'not-redrivable' })

  const broken = { ...call, id: 'broken' }
  const failure = { code: 'record-unreadable', detail: 'Nonsense.' } as const
  await listener.tell(broken, { state: 'failed', failure, record: Buffer.from('nonsense') })
  await view.until(() => view.deadLetter('broken'), 10_000)
  t.match((await ask(url, 'redriveInvocation', { id: 'broken' })).json, { code: 'not-redrivable', detail: /read/ })
  t.strictSame(await ask(url, 'redriveInvocations', { body: { filter: {} } }).then(({ json }) => json), {
    matched: 1,
    done: 0,
    skipped: 1,
  })
})

t.test('what another producer wrote, without an id and with times of its own, is redriven too', async (t) => {
  const { stream, url, view } = await startOne(t)
  const record = Buffer.from(`{ "target": "${TARGET}", "delay": "1ms", "expiresIn": "10ms" }`)
  const call = decodeCall(record, { log: 'calls', partition: 0, offset: 0, appendedAtMs: Date.now() }).call
  const foreign = { ...call, id: 'other:1' }
  await new Listener(stream).tell(foreign, { state: 'expired', record })
  await view.until(() => view.deadLetter('other:1'), 10_000)
  t.equal((await ask(url, 'redriveInvocation', { id: 'other:1' })).status, 202)
  const [redriven] = await redrivenIn({ stream })
  t.match(redriven, { id: 'other:1', generation: 2, target: TARGET, acceptedAtMs: call.acceptedAtMs })
  t.notOk(redriven && ('expiresAtMs' in redriven || 'notBeforeMs' in redriven))
})

t.test('what was moved to more than a year after it was accepted is redriven too', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  const call = await listener.callOf(view, id)
  await listener.fail({ ...call, move: 1, notBeforeMs: call.acceptedAtMs + LIMITS.delayMsMax + 1 })
  await ask(url, 'getInvocation', { id, query: { wait: '30s' } })
  t.equal((await ask(url, 'redriveInvocation', { id })).status, 202)
})

t.test('however many ask at once, on whichever accepter, it is sent once', async (t) => {
  const [first, second] = await startTwo(t)
  const ids = await fail(first, 3)
  await second.view.until(() => ids.every((id) => second.view.deadLetter(id)) || undefined, 10_000)
  const asked = Array.from({ length: 30 }, (_, index) => {
    const { url } = index % 2 ? first : second
    if (index % 5 === 0) return ask(url, 'redriveInvocations', { body: { filter: {} } })
    return ask(url, 'redriveInvocation', { id: ids[index % 3] as string })
  })
  const answers = await Promise.all(asked)
  for (const { json, status } of answers) t.ok([200, 202].includes(status) || json.code === 'not-redrivable')
  t.strictSame((await redrivenIn(first)).map(({ id }) => id).sort(), ids.toSorted())
})

t.test('what one could not send, the next one does', async (t) => {
  const { other, stream } = await openStreams(t)
  const whole = await install(t, other)
  let isAway = false
  const failing = await install(t, stream, {
    invocations: {
      recordBytesMax: RECORD_BYTES_MAX,
      append: (log: LogName, records: readonly NewRecord[]) =>
        isAway && log === 'calls'
          ? Promise.reject(new PosthasteError('stream-unavailable', 'Away.'))
          : stream.append(log, records),
    },
  })
  const ids = await fail(failing, 2)
  await whole.view.until(() => ids.every((id) => whole.view.deadLetter(id)) || undefined, 10_000)
  isAway = true
  t.equal((await ask(failing.url, 'redriveInvocation', { id: ids[0] as string })).status, 503)
  t.equal((await ask(failing.url, 'redriveInvocations', { body: { filter: {} } })).status, 503)
  t.strictSame(await redrivenIn(whole), [])
  t.equal((await ask(whole.url, 'redriveInvocation', { id: ids[0] as string })).status, 202)
  t.equal((await ask(whole.url, 'redriveInvocations', { body: { filter: {} } })).status, 200)
  t.strictSame((await redrivenIn(whole)).map(({ id }) => id).sort(), ids.toSorted())
})

t.test('a record as large as may be accepted can be redriven', async (t) => {
  const one = await startOne(t)
  const { url, view } = one
  const empty = (await readBytes(one, '')).length
  const body = 'a'.repeat(RECORD_BYTES_MAX - empty - 4)
  t.equal((await readBytes(one, body)).length, RECORD_BYTES_MAX)
  const [id = ''] = await fail(one, 1, { body })
  t.equal((await ask(url, 'redriveInvocation', { id })).status, 202)
  t.equal(view.get(id)?.generation, 2)
})

async function readBytes({ stream, url }: Installed, body: string): Promise<Uint8Array> {
  await ask(url, 'createInvocation', { body: { target: TARGET, body } })
  return (await readCalls(stream)).at(-1)?.value ?? new Uint8Array(0)
}

t.test('all that match are sent again, a page at a time, at a rate', async (t) => {
  const one = await startOne(t)
  const ids = await fail(one, 7, { correlationId: 'these' })
  const others = await fail(one, 2, { correlationId: 'others' })
  const { url } = one
  const body = { filter: { correlationId: 'these', state: ['failed'] }, limit: 3, rate: 2 }
  const dry = (await ask(url, 'redriveInvocations', { body: { ...body, dryRun: true, limit: 1_000 } })).json
  t.strictSame(dry, { matched: 7, done: 0, skipped: 0 })
  t.strictSame(await redrivenIn(one), [])
  const startedMs = Date.now()
  const reports = []
  for (let cursor: string | undefined; ; ) {
    const { json, status } = await ask(url, 'redriveInvocations', { body: { ...body, ...(cursor && { cursor }) } })
    t.equal(status, 200)
    reports.push(json)
    cursor = json.next
    if (cursor === undefined) break
  }
  t.match(reports, [
    { matched: 3, done: 3, skipped: 0 },
    { matched: 3, done: 3, skipped: 0 },
    { matched: 1, done: 1, skipped: 0 },
  ])
  const redriven = await redrivenIn(one)
  t.strictSame(redriven.map(({ id }) => id).sort(), ids.toSorted())
  const times = redriven.map(({ notBeforeMs = 0 }) => notBeforeMs).toSorted((a, b) => a - b)
  t.ok((times[0] ?? 0) >= startedMs)
  t.strictSame(
    times.map((ms) => ms - (times[0] ?? 0)),
    [0, 500, 1_000, 1_500, 2_000, 2_500, 3_000],
    'from one page to the next as well',
  )
  t.equal((await ask(url, 'redriveInvocations', { body: { filter: {} } })).json.done, others.length)
})

t.test('all that match are cancelled, those that go on', async (t) => {
  const one = await startOne(t)
  const { stream, url } = one
  await fail(one, 2)
  const invocations = Array.from({ length: 60 }, (_, index) => ({
    target: `${TARGET}${index % 2 ? 'odd' : 'even'}`,
    delay: '1h',
  }))
  await ask(url, 'createInvocations', { body: { invocations } })
  const asked = async (body: object) => (await ask(url, 'cancelInvocations', { body })).json
  const filter = { target: `${TARGET}even` }
  t.strictSame(await asked({ filter, dryRun: true }), { matched: 30, done: 0, skipped: 0 })
  t.strictSame(await asked({ filter }), { matched: 30, done: 30, skipped: 0 })
  t.strictSame(await asked({ filter }), { matched: 30, done: 0, skipped: 30 }, 'asked for already')
  const rest = await asked({ filter: {}, limit: 55 })
  t.equal(rest.matched, 55)
  const last = await asked({ filter: {}, limit: 55, cursor: rest.next })
  t.equal(rest.done + last.done, 30)
  t.notOk('next' in last)
  let keys = 0
  for await (const { records } of stream.follow('control', 'start', { untilEnd: true })) keys += records.length
  t.equal(keys, 60)
})

t.test('a bulk request that is not understood does nothing', async (t) => {
  const one = await startOne(t)
  await fail(one, 1)
  const both: [object, string, string][] = [
    [{}, 'missing-field', '/filter'],
    [{ filter: { state: ['done'] } }, 'invalid-field', '/filter/state/0'],
    [{ filter: { state: ['succeeded'] } }, 'invalid-field', '/filter/state/0'],
    [{ filter: { state: [] } }, 'invalid-field', '/filter/state'],
    [{ filter: { target: 'a' } }, 'invalid-url', '/filter/target'],
    [{ filter: { createdAfter: 'a' } }, 'invalid-time', '/filter/createdAfter'],
    [{ filter: { createdBefore: 'a' } }, 'invalid-time', '/filter/createdBefore'],
    [{ filter: { tag: 'a' } }, 'unknown-field', '/filter/tag'],
    [{ filter: {}, limit: 1_001 }, 'invalid-field', '/limit'],
    [{ filter: {}, limit: 0 }, 'invalid-field', '/limit'],
  ]
  const redrive: [object, string, string][] = [
    ...both,
    [{ filter: {}, rate: 0 }, 'invalid-field', '/rate'],
    [{ filter: {}, cursor: 'a' }, 'invalid-field', '/cursor'],
    [{ filter: {}, rate: 0.01, cursor: `${(Date.now() + 366 * 86_400_000).toString(36)}.a` }, 'invalid-field', '/rate'],
    [{ filter: { state: ['queued'] } }, 'invalid-field', '/filter/state/0'],
  ]
  const cancel: [object, string, string][] = [...both, [{ filter: {}, rate: 1 }, 'unknown-field', '/rate']]
  const refused = async (name: 'redriveInvocations' | 'cancelInvocations', [body, code, pointer]: (typeof both)[0]) => {
    const { json, status } = await ask(one.url, name, { body })
    t.equal(status, 400, `${name} ${JSON.stringify(body)}`)
    t.match(json, { code, errors: [{ pointer, code }] }, `${name} ${JSON.stringify(body)}`)
  }
  for (const each of redrive) await refused('redriveInvocations', each)
  for (const each of cancel) await refused('cancelInvocations', each)
  t.equal(
    (await ask(one.url, 'cancelInvocations', { body: { filter: {}, cursor: 'nonsense' } })).json.code,
    'invalid-query',
  )
  t.strictSame(await redrivenIn(one), [])
})
