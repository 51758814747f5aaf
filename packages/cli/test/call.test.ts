import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { InstructionSchema } from '@posthaste/core'
import t from 'tap'
import { idOf, problem, serveApi, shown } from './api-server.js'
import { makeDirectory, run } from './posthaste.js'

const TARGET = 'https://api.example.com/resize'

t.test('each field of an instruction has its flag', async (t) => {
  const receipt = { id: idOf(1), state: 'scheduled', notBefore: '2026-12-24T18:00:00.000Z' }
  const { asked, url } = await serveApi(t, () => ({ status: 202, body: receipt }))
  const flags = [
    ['-X', 'put'],
    ['-H', 'X-One: 1'],
    ['--header', 'x-one:2'],
    ['-H', 'Empty:'],
    ['--query', 'a=1'],
    ['--query', 'a=2=3'],
    ['--query', 'b='],
    ['-d', 'hello'],
    ['--delay', '10m'],
    ['--not-before', '2026-12-24T18:00:00Z'],
    ['--forward-to', 'https://hooks.example.com/done'],
    ['--on-success', 'https://hooks.example.com/good'],
    ['--on-failure', 'https://hooks.example.com/bad'],
    ['--correlation-id', 'order 42'],
    ['--timeout', '30s'],
    ['--expires-in', '2h'],
    ['--expires-at', '2026-12-25T00:00:00Z'],
    ['--retry-max-attempts', '5'],
    ['--retry-initial-delay', '1s'],
    ['--retry-factor', '2.5'],
    ['--retry-max-delay', '5m'],
    ['--retry-jitter', 'full'],
    ['--retry-max-age', '1d'],
    ['--retry-statuses', '429,5xx'],
    ['--retry-errors', 'none'],
  ]
  const { code, stderr, stdout } = await run(['call', TARGET, '--url', url, ...flags.flat()])
  t.equal(stderr, '')
  t.equal(code, 0)
  t.strictSame(JSON.parse(stdout), receipt)
  t.match(asked, [{ what: 'POST /invocations' }])
  const { body } = asked[0] as { body: Record<string, object> }
  t.strictSame(body, {
    target: TARGET,
    method: 'PUT',
    headers: { 'x-one': ['1', '2'], empty: [''] },
    query: { a: ['1', '2=3'], b: [''] },
    body: 'hello',
    bodyEncoding: 'text',
    forwardTo: 'https://hooks.example.com/done',
    onSuccess: 'https://hooks.example.com/good',
    onFailure: 'https://hooks.example.com/bad',
    correlationId: 'order 42',
    notBefore: '2026-12-24T18:00:00Z',
    delay: '10m',
    timeout: '30s',
    expiresIn: '2h',
    expiresAt: '2026-12-25T00:00:00Z',
    retry: {
      ...{ maxAttempts: 5, initialDelay: '1s', factor: 2.5, maxDelay: '5m', jitter: 'full' },
      ...{ maxAge: '1d', statuses: ['429', '5xx'], errors: [] },
    },
  })
  const { properties } = InstructionSchema
  const instead = ['function', 'path']
  t.strictSame(
    [...Object.keys(body), ...instead].sort(),
    Object.keys(properties).sort(),
    'these are all that there are',
  )
  t.strictSame(Object.keys(body.retry ?? {}).sort(), Object.keys(properties.retry.properties).sort())
})

t.test('a function is called by its name', async (t) => {
  const { asked, url } = await serveApi(t, () => ({ status: 202, body: { id: idOf(1), state: 'queued' } }))
  const { code } = await run(['call', '--url', url, '--function', 'resize', '--path', '/a?b=c', '-X', 'put'])
  t.equal(code, 0)
  t.strictSame(asked[0]?.body, { function: 'resize', path: '/a?b=c', method: 'PUT' })
})

t.test('destinations get the form that is asked for', async (t) => {
  const { asked, url } = await serveApi(t, () => ({ status: 202, body: { id: idOf(1), state: 'queued' } }))
  const flags = ['--on-success', TARGET, '--destination-format', 'cloudevents']
  await run(['call', TARGET, '--url', url, ...flags])
  const { body } = asked[0] as { body: Record<string, object> }
  t.strictSame(body, { target: TARGET, onSuccess: { url: TARGET, format: 'cloudevents' } })
})

t.test('what is not said is left out', async (t) => {
  const { asked, url } = await serveApi(t, () => ({ status: 202, body: { id: idOf(1), state: 'queued' } }))
  t.equal((await run(['call', TARGET, '--url', `${url}/`])).code, 0)
  t.strictSame(asked[0]?.body, { target: TARGET })
  t.notOk('idempotency-key' in (asked[0]?.headers ?? {}))
})

t.test('a body goes out byte for byte, with the type that it has', async (t) => {
  const { asked, url } = await serveApi(t, () => ({ status: 202, body: { id: idOf(1), state: 'queued' } }))
  const file = join(makeDirectory(t), 'body')
  const json = '{ "large": 12345678901234567890 }\n'
  const bytes = Buffer.from([0xff, 0x00, 0x80])
  const asJson = { headers: { 'content-type': 'application/json' }, body: json, bodyEncoding: 'text' }
  const call = async (args: readonly string[], ...stdin: string[]): Promise<unknown> => {
    t.equal((await run(['call', TARGET, ...args], { POSTHASTE_URL: url }, stdin)).code, 0)
    return asked.at(-1)?.body
  }
  t.strictSame(await call(['-d', json]), { target: TARGET, ...asJson })
  t.strictSame(await call(['-d', '@-'], json.slice(0, 9), json.slice(9)), { target: TARGET, ...asJson })
  writeFileSync(file, json)
  t.strictSame(await call(['-d', `@${file}`]), { target: TARGET, ...asJson })
  writeFileSync(file, bytes)
  t.strictSame(await call(['-d', `@${file}`]), { target: TARGET, body: '/wCA', bodyEncoding: 'base64' })
  t.strictSame(await call(['-d', '']), { target: TARGET, body: '', bodyEncoding: 'text' })
  t.strictSame(await call(['-d', json, '-H', 'Content-Type: text/csv']), {
    target: TARGET,
    ...asJson,
    headers: { 'content-type': ['text/csv'] },
  })
})

t.test('an Idempotency-Key is sent as a string of the header', async (t) => {
  const { asked, url } = await serveApi(t, () => ({ status: 202, body: { id: idOf(1), state: 'queued' } }))
  t.equal((await run(['call', TARGET, '--url', url, '--idempotency-key', 'a "b" \\c '])).code, 0)
  t.equal(asked[0]?.headers['idempotency-key'], '"a \\"b\\" \\\\c "')
})

t.test('people get a line', async (t) => {
  const receipt = { id: idOf(1), state: 'scheduled', notBefore: new Date(Date.now() + 9_000_000).toISOString() }
  const { url } = await serveApi(t, () => ({ status: 202, body: receipt }))
  const { stdout } = await run(['call', TARGET, '--url', url, '--no-json'])
  t.match(stdout, new RegExp(`^${idOf(1)}  scheduled  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d \\(in 2h\\)\n$`))
})

t.test('waits until it has ended, however often it must ask', async (t) => {
  const states = ['queued', 'retrying', 'succeeded'] as const
  let asks = 0
  const { asked, url } = await serveApi(t, ({ what }) =>
    what === 'POST /invocations'
      ? { status: 202, body: { id: idOf(1), state: 'queued' } }
      : { body: shown(idOf(1), states[asks++] ?? 'failed') },
  )
  const { code, stdout } = await run(['call', TARGET, '--url', url, '--wait'])
  t.equal(code, 0)
  t.strictSame(JSON.parse(stdout), shown(idOf(1), 'succeeded'))
  const got = { what: `GET /invocations/${idOf(1)}`, query: { wait: '30000ms' } }
  t.match(asked, [{ what: 'POST /invocations' }, got, got, got])
  t.equal(asked.length, 4)
})

t.test('what was accepted, and is not seen to end, is not to be called again', async (t) => {
  const { url } = await serveApi(t, ({ what }) =>
    what === 'POST /invocations'
      ? { status: 202, body: { id: idOf(1), state: 'queued' } }
      : problem(503, 'view-behind', 'Not shown yet.'),
  )
  const { code, stderr, stdout } = await run(['call', TARGET, '--url', url, '--wait'])
  t.equal(code, 6)
  t.equal(stderr, `${idOf(1)} was accepted, but not seen to end: Not shown yet. (view-behind)\n`)
  t.equal(stdout, '')
})

t.test('what is refused is said, with every field', async (t) => {
  const errors = [
    { pointer: '/target', code: 'invalid-url', detail: 'This URL cannot be read.' },
    { pointer: '/delay', code: 'invalid-duration', detail: 'This is not a duration.' },
  ]
  const refusals: [ReturnType<typeof problem>, number, string][] = [
    [
      problem(400, 'invalid-url', '/target: This URL cannot be read.', { errors }),
      2,
      '/target: This URL cannot be read.\n/delay: This is not a duration. (invalid-url)\n',
    ],
    [problem(413, 'too-large', 'It is too large.'), 2, 'It is too large. (too-large)\n'],
    [problem(422, 'key-reused', 'The key was used.'), 4, 'The key was used. (key-reused)\n'],
    [problem(500, 'internal', 'The request\x1b[2J failed.'), 1, 'The request?[2J failed. (internal)\n'],
  ]
  for (const [refusal, exitCode, message] of refusals) {
    const { url } = await serveApi(t, () => refusal)
    const { code, stderr, stdout } = await run(['call', TARGET, '--url', url])
    t.equal(code, exitCode)
    t.equal(stderr, message)
    t.equal(stdout, '')
  }
})

t.test('who cannot be reached, or has no time, is for later', async (t) => {
  const { url } = await serveApi(t, () => ({
    ...problem(503, 'stream-full', 'No room.'),
    headers: { 'retry-after': '30' },
  }))
  const full = await run(['call', TARGET, '--url', url])
  t.equal(full.code, 5)
  t.equal(full.stderr, 'No room. (stream-full) Try again in 30 s.\n')
  const port = await freePort()
  const nobody = await run(['call', TARGET, '--url', `http://127.0.0.1:${port}`])
  t.equal(nobody.code, 5)
  t.match(
    nobody.stderr,
    /^Posthaste cannot be reached at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*--url or POSTHASTE_URL\.\n$/,
  )
})

t.test('what is not Posthaste is told from it', async (t) => {
  for (const [status, exitCode] of [
    [200, 1],
    [404, 1],
    [302, 1],
    [502, 5],
  ] as const) {
    const { url } = await serveApi(t, () => ({ status, body: Buffer.from('<html>'), headers: { location: '/' } }))
    const { code, stderr } = await run(['call', TARGET, '--url', url])
    t.equal(code, exitCode, String(status))
    t.match(stderr, `${url} answered ${status}, and not as Posthaste does.`)
  }
})

t.test('what cannot be meant is refused before anything is asked', async (t) => {
  const { asked, url } = await serveApi(t, () => ({ status: 202, body: { id: idOf(1), state: 'queued' } }))
  const wrong: [string[], RegExp][] = [
    [[], /^What to call is a URL, or a --function: one of the two\.\n$/],
    [['--path', '/a'], /one of the two/],
    [[TARGET, '--function', 'a'], /one of the two/],
    [[TARGET, '-H', 'Bearer secret'], /^--header: this must be "name: value"\.\n$/],
    [[TARGET, '--query', '=1'], /It is not "name=value"/],
    [[TARGET, '--retry-factor', 'two'], /It is not a number/],
    [[TARGET, '--idempotency-key', 'ö'], /printable ASCII/],
    [[TARGET, '-d', '@/nowhere/file'], /--data: ENOENT.*pass it with @-/],
    [[TARGET, '--url', 'ftp://x'], /this must be an http or https URL/],
    [[TARGET, '--url', 'http://a:secret@x'], /without credentials/],
  ]
  for (const [args, message] of wrong) {
    const { code, stderr, stdout } = await run(['call', ...args], { POSTHASTE_URL: url })
    t.equal(code, 2, args.join(' '))
    t.match(stderr, message)
    t.notMatch(stderr, 'secret')
    t.equal(stdout, '')
  }
  t.strictSame(asked, [])
})

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
