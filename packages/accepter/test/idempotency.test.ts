import { claimKey, encodeClaim, PosthasteError, payloadHash } from '@posthaste/core'
import type { LogName, NewRecord } from '@posthaste/stream'
import t from 'tap'
import { ask } from './api-client.js'
import { FollowingView } from './following-view.js'
import { install, startOne, startTwo } from './installation.js'
import { openStreams, RECORD_BYTES_MAX, readCalls, startAccepter, TARGET } from './setting.js'

const body = { target: TARGET, body: { order: 42, lines: [1, 2] }, delay: '10m' }
const key = (text: string) => ({ 'idempotency-key': text })

t.test('the same key and payload are one invocation, on any accepter and after a restart', async (t) => {
  const [first, second] = await startTwo(t)
  const { headers, json, status } = await ask(first.url, 'createInvocation', { body, headers: key('a') })
  t.equal(status, 202)
  t.notOk(headers.has('idempotency-replayed'))
  const reordered = { delay: '10m', body: { lines: [1, 2], order: 42 }, target: TARGET }
  await first.view.stop()
  const restarted = await install(t, first.stream)
  for (const { url } of [second, restarted, second]) {
    const again = await ask(url, 'createInvocation', { body: reordered, headers: key('a') })
    t.equal(again.status, 202)
    t.strictSame(again.json, json, 'the answer is the first one')
    t.equal(again.headers.get('idempotency-replayed'), 'true')
    t.equal(again.headers.get('location'), `/invocations/${json.id}`)
  }
  t.strictSame(await keysOfCalls(second), [json.id])
})

t.test('a key is the same quoted and bare, and others are others', async (t) => {
  const { url } = await startOne(t)
  const idOf = async (text: string): Promise<string> =>
    (await ask(url, 'createInvocation', { body, headers: key(text) })).json.id
  const id = await idOf('8e03978e-40d5-43dd-bc93-6894a57f9324')
  t.equal(await idOf('"8e03978e-40d5-43dd-bc93-6894a57f9324"'), id)
  t.equal(await idOf(String.raw`"a\"b\\c"`), await idOf(String.raw`a"b\c`))
  const others = [await idOf('a b'), await idOf('A b'), await idOf('a'.repeat(256)), await idOf(`"${'b'.repeat(256)}"`)]
  t.equal(new Set([id, ...others]).size, 5)
})

t.test('a key that is none is refused, and nothing is stored', async (t) => {
  const { stream, url } = await startOne(t)
  const wrong = ['', '""', '"a', 'a\tb', '"a" "b"', '"a", "b"', '"a";b=1', '"a\\b"', 'é', 'a'.repeat(257)]
  for (const text of wrong) {
    const { json, status } = await ask(url, 'createInvocation', { body, headers: key(text) })
    t.equal(status, 400, text)
    t.equal(json.code, 'invalid-key', text)
  }
  const batch = await ask(url, 'createInvocations', { body: { invocations: [body] }, headers: key('a') })
  t.equal(batch.json.code, 'invalid-key')
  t.strictSame(await keysOfCalls({ stream }), [])
})

t.test('the same key with another payload is refused', async (t) => {
  const [first, second] = await startTwo(t)
  const { json } = await ask(first.url, 'createInvocation', { body, headers: key('a') })
  for (const other of [
    { ...body, delay: '11m' },
    { ...body, body: { order: 42, lines: [2, 1] } },
    { target: TARGET },
  ]) {
    for (const { url } of [first, second]) {
      const refused = await ask(url, 'createInvocation', { body: other, headers: key('a') })
      t.equal(refused.status, 422)
      t.equal(refused.json.code, 'key-reused')
    }
  }
  t.strictSame(await keysOfCalls(first), [json.id])
})

t.test('50 clients with one key at once on two accepters are one invocation', async (t) => {
  const [first, second] = await startTwo(t)
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      ask((index % 2 ? first : second).url, 'createInvocation', { body, headers: key('a') }),
    ),
  )
  t.strictSame(
    answers.filter(({ status }) => status !== 202),
    [],
  )
  const [id, ...more] = new Set(answers.map(({ json }) => json.id))
  t.equal(more.length, 0)
  t.equal(answers.filter(({ headers }) => !headers.has('idempotency-replayed')).length, 1, 'one was the first')
  t.strictSame(await keysOfCalls(first), [id], 'and it is there once')
})

t.test('of two payloads with one key at once one is taken, however many send it', async (t) => {
  const [first, second] = await startTwo(t)
  const other = { ...body, delay: '1h' }
  const answers = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const payload = index % 4 < 2 ? body : other
      const url = (index % 2 ? first : second).url
      return { payload, ...(await ask(url, 'createInvocation', { body: payload, headers: key('a') })) }
    }),
  )
  const taken = answers.filter(({ status }) => status === 202)
  t.equal(taken.length, 20)
  t.equal(new Set(taken.map(({ payload }) => payload)).size, 1)
  t.equal(new Set(taken.map(({ json }) => json.id)).size, 1)
  t.equal((await keysOfCalls(first)).length, 1)
})

t.test('what the first one could not bring to the stream the next one does', async (t) => {
  const { other, stream } = await openStreams(t)
  // As if it were killed behind the claim.
  const failing = await install(t, stream, {
    invocations: {
      recordBytesMax: RECORD_BYTES_MAX,
      append: (log: LogName, records: readonly NewRecord[]) =>
        log === 'calls'
          ? Promise.reject(new PosthasteError('stream-unavailable', 'Away.'))
          : stream.append(log, records),
    },
  })
  const whole = await install(t, other)
  const failed = await ask(failing.url, 'createInvocation', { body, headers: key('a') })
  t.equal(failed.status, 503)
  t.strictSame(await keysOfCalls(whole), [])
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => ask(whole.url, 'createInvocation', { body, headers: key('a') })),
  )
  const [id, ...more] = new Set(answers.map(({ json }) => json.id))
  t.equal(more.length, 0)
  for (const { headers } of answers) t.equal(headers.get('idempotency-replayed'), 'true')
  const [claim] = await recordsOf(whole, 'claims')
  t.match(Buffer.from(claim ?? '').toString(), `"id":"${id}"`, 'it is the one that was claimed')
  t.strictSame(await keysOfCalls(whole), [id])
})

t.test('however often nobody could bring it to the stream, the next one can', async (t) => {
  const { stream } = await openStreams(t)
  let isAway = true
  const { url } = await install(t, stream, {
    invocations: {
      recordBytesMax: RECORD_BYTES_MAX,
      append: (log: LogName, records: readonly NewRecord[]) =>
        isAway && log === 'calls'
          ? Promise.reject(new PosthasteError('stream-unavailable', 'Away.'))
          : stream.append(log, records),
    },
  })
  const asked = () => ask(url, 'createInvocation', { body, headers: key('a') })
  for (let count = 0; count < 4; count += 1) t.equal((await asked()).json.code, 'stream-unavailable')
  isAway = false
  const { json, status } = await asked()
  t.equal(status, 202)
  t.strictSame(await keysOfCalls({ stream }), [json.id])
})

t.test('while the view is behind nobody answers for another, and nothing is appended', async (t) => {
  const [first, second] = await startTwo(t)
  const { json } = await ask(first.url, 'createInvocation', { body, headers: key('a') })
  await second.view.until(() => second.view.claim(claimKey('a')), 10_000)
  const late = new FollowingView(second.stream)
  late.held.add('calls')
  t.teardown(() => late.stop())
  const { url } = await startAccepter(t, {
    invocations: {
      recordBytesMax: RECORD_BYTES_MAX,
      // Longer than another has to bring his call to the stream.
      timeoutMs: 2_500,
      append: (log, records) => second.stream.append(log, records),
    },
    view: late,
  })
  const behind = await ask(url, 'createInvocation', { body, headers: key('a') })
  t.equal(behind.status, 503)
  t.equal(behind.json.code, 'view-behind')
  t.equal(behind.headers.get('retry-after'), '1')
  late.release()
  t.equal((await ask(url, 'createInvocation', { body, headers: key('a') })).json.id, json.id)
  t.strictSame(await keysOfCalls(first), [json.id])
})

t.test('an invocation that was forgotten is not made again', async (t) => {
  const { stream, url, view } = await startOne(t)
  const id = '01890000-0000-7000-8000-000000000000'
  const record = Buffer.from(`{"v":1,"id":"${id}","acceptedAt":"2026-01-01T00:00:00.000Z","target":"${TARGET}"}`)
  const claim = encodeClaim({ id, payload: payloadHash(body), record })
  await stream.append('claims', [{ key: claimKey('a'), value: claim }])
  view.forgotten.add(id)
  const { json, status } = await ask(url, 'createInvocation', { body, headers: key('a') })
  t.equal(status, 202)
  t.equal(json.id, id)
  t.strictSame(await keysOfCalls({ stream }), [])
})

t.test('a claim that the stream does not take is a 503, and so is one that does not come back', async (t) => {
  const { stream } = await openStreams(t)
  const view = new FollowingView(stream)
  t.teardown(() => view.stop())
  let append: (log: LogName) => Promise<void> = () => Promise.reject(new PosthasteError('stream-full', 'Full.'))
  const { url } = await startAccepter(t, {
    invocations: { recordBytesMax: RECORD_BYTES_MAX, timeoutMs: 50, append: (log) => append(log) },
    view,
  })
  const asked = () => ask(url, 'createInvocation', { body, headers: key('a') })
  t.equal((await asked()).json.code, 'stream-full')
  append = () => new Promise(() => undefined)
  t.equal((await asked()).json.code, 'stream-unavailable')
  append = async () => undefined
  t.equal((await asked()).json.code, 'view-behind')
})

t.test('a payload may be nested deeply, or is refused: it harms nothing', async (t) => {
  const { url } = await startOne(t)
  for (const depth of [100, 1_000, 2_000, 3_000, 4_000, 5_000, 20_000]) {
    const nested = `{"target":"${TARGET}","body":${'['.repeat(depth)}${']'.repeat(depth)}}`
    const response = await fetch(`${url}/invocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...key(`deep ${depth}`) },
      body: nested,
    })
    t.ok([202, 400, 413].includes(response.status), `${depth}: ${response.status}`)
    await response.text()
  }
})

async function keysOfCalls({ stream }: Pick<Awaited<ReturnType<typeof startOne>>, 'stream'>): Promise<string[]> {
  return (await readCalls(stream)).map((record) => record.key)
}

async function recordsOf({ stream }: Awaited<ReturnType<typeof startOne>>, log: LogName): Promise<Uint8Array[]> {
  const values: Uint8Array[] = []
  for await (const { records } of stream.follow(log, 'start', { untilEnd: true }))
    values.push(...records.map(({ value }) => value))
  return values
}
