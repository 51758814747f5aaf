import { DEFAULT_RETRY_POLICY, decodeCall, type JournalEntry, type RetryPolicy } from '@posthaste/core'
import t from 'tap'
import { classifyCallError } from '../src/call-failure.js'
import { callHeaders } from '../src/call-headers.js'
import {
  type Answer,
  readJournal,
  runOne,
  type Seen,
  startListener,
  startTarget,
  startTcpTarget,
  until,
} from './setting.js'

const PROMPT = { jitter: 'none', initialDelay: '1ms', factor: 1 } as const
/** Waits that a listener must not take for those of the target. */
const SLOW: RetryPolicy = { ...DEFAULT_RETRY_POLICY, initialDelayMs: 3_600_000, maxDelayMs: 3_600_000, jitter: 'none' }

const ORIGIN = { log: 'calls', partition: 0, offset: 0, appendedAtMs: 0 }

const attemptOf = ({ headers }: Seen): number => Number(headers['posthaste-attempt'])
const counts = ({ headers }: Seen): (string | string[] | undefined)[] =>
  ['', '-answered', '-unanswered'].map(
    (which) => headers[which === '' ? 'posthaste-attempt' : `posthaste${which}-attempts`],
  )

/** Answers the first attempt with a status and headers, and later ones with 200. */
const firstly =
  (status: number, headers: () => Record<string, string>): Answer =>
  (seen, response) =>
    attemptOf(seen) > 1 ? response.end() : response.writeHead(status, headers()).end('no')

t.test('Retry-After is waited for, as seconds and as a date', async (t) => {
  const values = { seconds: () => '1', date: () => new Date(Date.now() + 2_000).toUTCString() }
  for (const [form, value] of Object.entries(values)) {
    const target = await startTarget(
      t,
      firstly(429, () => ({ 'retry-after': value() })),
    )
    const running = await startListener(t)
    const entry = await runOne(running, { target: target.url, retry: { ...PROMPT, maxAttempts: 2 } })
    t.match(entry, { state: 'succeeded', attempt: 2, answered: 1 }, form)
    const [first, second] = await readJournal(running.stream)
    t.match(first, { state: 'retrying', failure: { code: 'status' }, response: { status: 429 } })
    const { atMs = 0, nextAttemptAtMs = 0, response } = first ?? {}
    const date = String(response?.headers['retry-after'])
    // On a busy machine the date may be past.
    t.equal(nextAttemptAtMs, form === 'date' ? Math.max(Date.parse(date), atMs + 1) : atMs + 1_000)
    t.ok((second?.startedAtMs ?? 0) >= nextAttemptAtMs, 'not early')
  }
})

t.test('what Retry-After puts off beyond the age has expired, and is not called', async (t) => {
  const target = await startTarget(
    t,
    firstly(429, () => ({ 'retry-after': '3600' })),
  )
  const running = await startListener(t)
  const entry = await runOne(running, { target: target.url, retry: { maxAttempts: 9, maxAge: '30m' } })
  t.match(entry, { state: 'expired', attempt: 1, failure: { code: 'status' }, response: { status: 429 } })
  t.equal(target.seen.length, 1)
})

t.test('a target ends it, or asks for more, whatever it answers', async (t) => {
  const wishes: [path: string, status: number, wish: string, state: string, attempts: number][] = [
    ['/no', 503, 'no', 'failed', 1],
    ['/soon', 404, '20ms', 'succeeded', 2],
    ['/seconds', 200, '0.02', 'succeeded', 2],
    ['/nothing', 404, 'perhaps', 'failed', 1],
  ]
  const target = await startTarget(t, (seen, response, request) => {
    const [, status = 200, wish = ''] = wishes.find(([path]) => path === seen.url) ?? []
    return firstly(status, () => ({ 'posthaste-retry': wish }))(seen, response, request)
  })
  const running = await startListener(t, { retry: SLOW })
  for (const [path, , , state, attempt] of wishes)
    t.match(await runOne(running, { target: target.url + path }), { state, attempt }, path)
})

t.test('a success whose wish cannot be granted any more has succeeded', async (t) => {
  const target = await startTarget(t, (_, response) => response.writeHead(202, { 'posthaste-retry': '1ms' }).end())
  const running = await startListener(t)
  const entry = await runOne(running, { target: target.url, retry: { maxAttempts: 3 } })
  t.match(entry, { state: 'succeeded', attempt: 3, response: { status: 202 } })
  t.notOk(entry.failure)
  t.match((await readJournal(running.stream))[0], { state: 'retrying', failure: { code: 'asked-again' } })
})

t.test('the instruction says which statuses and errors are tried again', async (t) => {
  const target = await startTarget(t, ({ url }, response) => response.writeHead(Number(url.slice(1))).end())
  const silent = await startTcpTarget(t, (socket) => socket.resetAndDestroy())
  const running = await startListener(t)
  const attemptsOf = async (url: string, retry: object): Promise<number> =>
    (await runOne(running, { target: url, retry: { ...PROMPT, maxAttempts: 2, ...retry } })).attempt
  t.equal(await attemptsOf(`${target.url}/404`, { statuses: ['4xx'] }), 2)
  t.equal(await attemptsOf(`${target.url}/503`, { statuses: ['4xx', 500] }), 1)
  t.equal(await attemptsOf(silent, { statuses: [] }), 2)
  t.equal(await attemptsOf(silent, { errors: ['timeout'] }), 1)
})

t.test('a target is told how often it was called, and how often it answered', async (t) => {
  const target = await startTarget(t, (seen, response) => {
    if (attemptOf(seen) % 2 === 1) response.writeHead(503).end()
    else if (attemptOf(seen) < 4) response.destroy()
    else response.end()
  })
  const running = await startListener(t)
  const entry = await runOne(running, { target: target.url, retry: { ...PROMPT, maxAttempts: 4 } })
  t.match(entry, { state: 'succeeded', attempt: 4, answered: 2 })
  t.strictSame(target.seen.map(counts), [
    ['1', '0', '0'],
    ['2', '1', '0'],
    ['3', '1', '1'],
    ['4', '2', '1'],
  ])
  const journal = await readJournal(running.stream)
  t.strictSame(
    journal.map(({ answered = 0 }) => answered),
    [0, 1, 1, 2],
  )
})

t.test('a target is told how long it has: its time-out, or what is left', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  await runOne(running, { target: target.url, timeout: '70s' })
  await runOne(running, { target: target.url, timeout: '70s', expiresIn: '50s' })
  await runOne(running, { target: target.url, timeout: '70s', retry: { maxAge: '60s' } })
  const remaining = target.seen.map(({ headers }) => String(headers['posthaste-remaining-seconds']))
  for (const text of remaining) t.match(text, /^\d+\.\d{3}$/)
  t.equal(remaining[0], '70.000')
  t.ok(Number(remaining[1]) <= 50 && Number(remaining[1]) > 0)
  t.ok(Number(remaining[2]) <= 60 && Number(remaining[2]) > 50)
  const { call } = decodeCall(Buffer.from(JSON.stringify({ target: target.url })), ORIGIN)
  const late = callHeaders(call, { remainingMs: -1, atMs: 0, keys: undefined })
  t.equal(late[late.indexOf('posthaste-remaining-seconds') + 1], '0.000', 'never less than nothing')
})

t.test('what is too old when it comes is not called', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t, { retry: { ...SLOW, maxAgeMs: 60_000 } })
  const old = { acceptedAtMs: Date.now() - 61_000 }
  t.match(await runOne(running, { target: target.url }, old), { state: 'expired', failure: { code: 'expired' } })
  t.equal(target.seen.length, 0)
  const deferred = { ...old, notBeforeMs: Date.now() - 1_000 }
  t.match(await runOne(running, { target: target.url }, deferred), { state: 'succeeded' }, 'it could not be earlier')
  const redriven = { ...old, generation: 2, sinceMs: Date.now() }
  t.match(await runOne(running, { target: target.url }, redriven), { state: 'succeeded' })
})

t.test('the dead letter of a retry says when it began', async (t) => {
  const target = await startTarget(t, (_, response) => response.writeHead(503).end())
  const running = await startListener(t)
  const entry: JournalEntry = await runOne(running, { target: target.url, retry: { ...PROMPT, maxAttempts: 3 } })
  const { call } = decodeCall(entry.record, ORIGIN)
  t.match(call, { attempt: 3, answered: 2, sinceMs: call.acceptedAtMs })
})

t.test('destinations are told, as calls of their own, and a failure of theirs is a dead letter', async (t) => {
  const target = await startTarget(t, ({ url }, response) => {
    if (url === '/fails') response.writeHead(400, { 'content-type': 'application/json' }).end('{"why": "so"}')
    else response.writeHead(url === '/broken' ? 410 : 200).end('fine')
  })
  const running = await startListener(t)
  const onSuccess = `${target.url}/good`
  const onFailure = { url: `${target.url}/bad`, format: 'cloudevents' } as const
  const at = (path: string) => target.seen.filter(({ url }) => url === path)
  const told = (path: string) => JSON.parse(at(path)[0]?.body.toString() ?? 'null')

  const good = await runOne(running, { target: `${target.url}/works`, body: { n: 1 }, onSuccess, onFailure })
  await until(() => at('/good').length === 1)
  t.match(told('/good'), {
    requestContext: { requestId: good.id, functionArn: `${target.url}/works`, condition: 'Success' },
    requestPayload: { n: 1 },
    responsePayload: 'fine',
  })
  t.match(at('/good')[0]?.headers, { 'content-type': 'application/json', 'posthaste-id': good.id })

  const bad = await runOne(running, { target: `${target.url}/fails`, onSuccess, onFailure })
  await until(() => at('/bad').length === 1)
  t.equal(at('/bad')[0]?.headers['content-type'], 'application/cloudevents+json')
  t.match(told('/bad'), {
    type: 'org.posthaste.invocation.failed',
    subject: bad.id,
    data: { responseContext: { statusCode: 400, functionError: 'Unhandled' }, responsePayload: { why: 'so' } },
  })

  const lost = await runOne(running, { target: target.url, onSuccess: `${target.url}/broken` })
  await until(async () => (await readJournal(running.stream)).some(({ parent }) => parent === lost.id))
  const child = (await readJournal(running.stream)).find(({ parent }) => parent === lost.id)
  t.match(child, { state: 'failed', response: { status: 410 } })
  t.strictSame(lost.destination, { id: child?.id })
  t.equal(at('/good').length + at('/bad').length, 2, 'nobody else is told')
})

t.test('a chain that is too long is not told of, which is recorded', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  const entry = await runOne(running, { target: target.url, onSuccess: target.url }, { depth: 8 })
  t.match(entry, { state: 'succeeded', destination: { refused: 'depth-exceeded' } })
  t.match(await running.listener.ping('ping', 5_000), { drained: true, pulled: 1 })
})

t.test('what is too large for the record is cut', async (t) => {
  const target = await startTarget(t, (_, response) => response.end(Buffer.alloc(40_000, 'ä')))
  const running = await startListener(t, { recordBytesMax: 64 * 1024 })
  const body = '"'.repeat(30_000)
  await runOne(running, { target: `${target.url}/a`, body, onSuccess: `${target.url}/b` })
  await until(() => target.seen.some(({ url }) => url === '/b'))
  const record = JSON.parse(target.seen.find(({ url }) => url === '/b')?.body.toString() ?? 'null')
  t.match(record, { requestPayloadTruncated: 30_000, responsePayloadTruncated: 40_000 })
  t.ok(body.startsWith(record.requestPayload) && record.requestPayload.length > 10_000)
  t.ok('ä'.repeat(20_000).startsWith(record.responsePayload))
})

t.test('a call that succeeds is told of even if its record is of another producer', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  await running.listener.ping('ping', 0)
  const document = { target: `${target.url}/a`, onSuccess: { url: `${target.url}/b`, newer: true } }
  await running.stream.append('calls', [{ key: '', value: Buffer.from(JSON.stringify(document)) }])
  await until(() => target.seen.length === 2)
  t.equal(target.seen[1]?.url, '/b')
})

t.test('every way in which Node refuses a certificate is told as one', async (t) => {
  // `verifyError` of TLS sockets: the documentation of Node, tls, "X509 certificate error codes".
  const codes = [
    ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_DECRYPT_CERT_SIGNATURE', 'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY'],
    ...['CERT_SIGNATURE_FAILURE', 'CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED', 'ERROR_IN_CERT_NOT_BEFORE_FIELD'],
    ...['ERROR_IN_CERT_NOT_AFTER_FIELD', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
    ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_CHAIN_TOO_LONG'],
    ...['CERT_REVOKED', 'INVALID_CA', 'PATH_LENGTH_EXCEEDED', 'INVALID_PURPOSE', 'CERT_UNTRUSTED', 'CERT_REJECTED'],
    ...['HOSTNAME_MISMATCH', 'ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_SSL_WRONG_VERSION_NUMBER'],
  ]
  for (const code of codes)
    t.equal(classifyCallError(Object.assign(new Error(code), { code })).code, 'tls-failed', code)
})
