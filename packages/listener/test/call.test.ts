import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isTruncated, type TargetResponse } from '@posthaste/core'
import t from 'tap'
import { runOne, type Seen, startListener, startTarget } from './setting.js'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']

t.test('every method is called, with and without a body', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  for (const method of METHODS) {
    for (const body of [undefined, '', 'some text']) {
      const entry = await runOne(running, { target: target.url, method, ...(body !== undefined && { body }) })
      const what = `${method} ${body}`
      t.equal(entry.state, 'succeeded', what)
      const seen = target.seen.at(-1) as Seen
      t.equal(seen.method, method, what)
      t.equal(seen.body.toString(), body ?? '', what)
      t.equal(seen.headers['content-type'], body === undefined ? undefined : 'text/plain; charset=utf-8', what)
      t.notOk(seen.headers['transfer-encoding'], what)
      if (body) t.equal(seen.headers['content-length'], '9', what)
    }
  }
})

t.test('a body arrives byte for byte', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  for (const bytes of [Buffer.alloc(0), Buffer.from('\n'), all, randomBytes(300_000)]) {
    await runOne(running, { target: target.url, body: bytes.toString('base64'), bodyEncoding: 'base64' })
    t.ok(target.seen.at(-1)?.body.equals(bytes), `${bytes.length} bytes`)
    t.equal(target.seen.at(-1)?.headers['content-type'], 'application/octet-stream')
  }
  const bodies = {
    '"ä\u{1f600}\\u0000"': 'ä\u{1f600}\u0000',
    '{"a":[1,null]}': { a: [1, null] },
    null: null,
    '0.5': 0.5,
  }
  for (const [text, body] of Object.entries(bodies)) {
    const isText = typeof body === 'string'
    await runOne(running, { target: target.url, body })
    t.equal(target.seen.at(-1)?.body.toString(), isText ? body : text, text)
    t.match(target.seen.at(-1)?.headers['content-type'], isText ? 'text/plain' : 'application/json')
  }
})

t.test('headers arrive as they were given, several of a name in order, and ours with them', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  const entry = await runOne(running, {
    target: target.url,
    headers: {
      'X-One': '1',
      'x-many': ['b', 'a', 'b'],
      'x-empty': '',
      'x-latin': 'caf\u00e9',
      authorization: 'Bearer abc',
      cookie: 'a=b',
      'Content-Type': 'application/x-own',
      accept: 'text/html',
      'x-none': [],
    },
    body: 'a',
    correlationId: 'order 42',
  })
  const { rawHeaders, headers } = target.seen[0] as Seen
  t.strictSame(valuesOf(rawHeaders, 'x-many'), ['b', 'a', 'b'])
  t.strictSame(valuesOf(rawHeaders, 'x-latin'), ['caf\u00e9'])
  t.strictSame(valuesOf(rawHeaders, 'x-none'), [])
  t.match(headers, {
    host: new URL(target.url).host,
    'x-one': '1',
    'x-empty': '',
    authorization: 'Bearer abc',
    cookie: 'a=b',
    'content-type': 'application/x-own',
    accept: 'text/html',
    'content-length': '1',
    'posthaste-id': entry.id,
    'posthaste-attempt': '1',
    'posthaste-generation': '1',
    'posthaste-depth': '0',
    'posthaste-correlation-id': 'order 42',
    'idempotency-key': entry.id,
    'user-agent': 'posthaste',
  })
  for (const name of new Set(rawHeaders.map((name) => name.toLowerCase())))
    if (name.startsWith('posthaste-')) t.equal(valuesOf(rawHeaders, name).length, 1, `${name} stands once`)
})

t.test('who calls and the idempotency key are the only ones of ours that an instruction may set', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  await runOne(running, { target: target.url, headers: { 'User-Agent': 'mine', 'Idempotency-Key': 'key 1' } })
  const { rawHeaders } = target.seen[0] as Seen
  t.strictSame(valuesOf(rawHeaders, 'user-agent'), ['mine'])
  t.strictSame(valuesOf(rawHeaders, 'idempotency-key'), ['key 1'])
  t.strictSame(valuesOf(rawHeaders, 'posthaste-correlation-id'), [], 'none was given')
  await t.rejects(runOne(running, { target: target.url, headers: { 'posthaste-id': 'x' } }), {
    code: 'forbidden-header',
  })
})

t.test('the next generation has an idempotency key of its own', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  const { id } = await runOne(running, { target: target.url }, { generation: 3, attempt: 2, depth: 4 })
  t.match(target.seen[0]?.headers, {
    'posthaste-id': id,
    'posthaste-attempt': '2',
    'posthaste-generation': '3',
    'posthaste-depth': '4',
    'idempotency-key': `${id}-3`,
  })
})

t.test('the query is appended to what the URL has', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  const urls: [string, Record<string, unknown> | undefined, string][] = [
    ['', undefined, '/'],
    ['?', undefined, '/?'],
    ['/a%2Fb/ä', undefined, '/a%2Fb/%C3%A4'],
    ['/a?x=1#part', undefined, '/a?x=1'],
    ['/a', { b: 'c d', e: ['1', '2'], f: true, g: 1.5 }, '/a?b=c%20d&e=1&e=2&f=true&g=1.5'],
    ['/a?x=1&y', { z: '&=ä' }, '/a?x=1&y&z=%26%3D%C3%A4'],
    ['/a?', { z: '' }, '/a?z='],
    ['/a//b/../c', undefined, '/a//c'],
  ]
  for (const [suffix, query, arrives] of urls) {
    await runOne(running, { target: target.url + suffix, ...(query && { query: query as Record<string, string> }) })
    t.equal(target.seen.at(-1)?.url, arrives, suffix)
  }
})

t.test('the response is captured with its status, headers and body', async (t) => {
  const bytes = randomBytes(50_000)
  const target = await startTarget(t, (_, response) => {
    response.writeHead(201, { 'x-a': 'b', 'x-many': ['1', '2'], 'set-cookie': 'secret=1', 'content-type': 'image/png' })
    response.end(bytes)
  })
  const running = await startListener(t)
  const entry = await runOne(running, { target: target.url })
  t.equal(entry.response?.status, 201)
  t.equal(entry.response?.bodyBytes, 50_000)
  t.ok(Buffer.from(entry.responseBody).equals(bytes))
  t.match(entry.response?.headers, { 'x-a': 'b', 'x-many': ['1', '2'], 'content-type': 'image/png' })
  t.notOk('set-cookie' in (entry.response?.headers ?? {}), 'a cookie is for the caller')
  t.ok(entry.durationMs !== undefined && entry.durationMs > 0 && entry.startedAtMs !== undefined)
})

t.test('a body up to the limit is kept, one byte more is not', async (t) => {
  const target = await startTarget(t, async ({ url }, response) => {
    // In pieces, so that the limit is met in the middle.
    const bytes = Buffer.alloc(Number(url.slice(1)), 'a')
    const pieces = [0, 0.1, 0.2, 0.6, 1].map((part) => Math.floor(part * bytes.length))
    for (const [index, from] of pieces.entries()) {
      response.write(bytes.subarray(from, pieces[index + 1]))
      await sleep(1)
    }
    response.end()
  })
  const running = await startListener(t, { responseBytesMax: 10_000 })
  for (const [size, kept] of [
    [0, 0],
    [1, 1],
    [10_000, 10_000],
    [10_001, 0],
    [20_000, 0],
    [3_000_000, 0],
  ] as const) {
    const entry = await runOne(running, { target: `${target.url}/${size}` })
    t.equal(entry.state, 'succeeded', `${size}`)
    t.equal(entry.responseBody.length, kept, `${size}`)
    t.equal(entry.response?.bodyBytes, size, `${size}`)
    t.equal(isTruncated({ ...entry.response, body: entry.responseBody } as TargetResponse), kept < size)
  }
})

t.test('an answer without a body, or before the answer, is no fault', async (t) => {
  const target = await startTarget(t, ({ url }, response) => {
    if (url === '/hints') response.writeEarlyHints({ link: '</a>; rel=preload' })
    if (url === '/processing') response.writeProcessing()
    response.writeHead(url === '/none' ? 204 : 200).end()
  })
  const running = await startListener(t)
  for (const path of ['/none', '/hints', '/processing']) {
    const entry = await runOne(running, { target: target.url + path })
    t.equal(entry.state, 'succeeded', path)
    t.equal(entry.response?.status, path === '/none' ? 204 : 200)
  }
})

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
}
