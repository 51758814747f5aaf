import { connect } from 'node:net'
import t from 'tap'
import { exchangeRaw, JSON_TYPE, parseRaw, post, signal, startAccepter, TARGET } from './setting.js'

const cycle = { ping: async () => ({ drained: true }) }

t.test('a path that there is not is a 404, whatever is sent to it', async (t) => {
  const { url } = await startAccepter(t, { cycle })
  const bodies: RequestInit[] = [
    {},
    { method: 'DELETE' },
    { method: 'POST', body: '{', headers: JSON_TYPE },
    { method: 'POST', body: 'a'.repeat(100_000), headers: { 'content-type': 'text/csv' } },
  ]
  for (const path of ['/', '/invocation', '/invocations/', '/INVOCATIONS', '//livez', '/livez/..%2f', '/a?b=/livez']) {
    for (const init of bodies) {
      const response = await fetch(url + path, init)
      t.equal(response.status, 404, `${init.method ?? 'GET'} ${path}`)
      t.match(await response.json(), { code: 'not-found', status: 404 })
      t.equal(response.headers.get('content-type'), 'application/problem+json')
    }
  }
})

t.test('a path takes its methods and says which', async (t) => {
  const { url } = await startAccepter(t, { cycle })
  const allowed = {
    '/invocations': 'POST',
    '/invocations?a=b': 'POST',
    '/livez': 'GET, HEAD',
    '/readyz': 'GET, HEAD',
    '/cycle': 'GET, HEAD, POST',
    '/cycle?wait=1s': 'GET, HEAD, POST',
  }
  for (const [path, allow] of Object.entries(allowed)) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      if (allow.split(', ').includes(method)) continue
      const response = await fetch(url + path, { method })
      t.equal(response.status, 405, `${method} ${path}`)
      t.equal(response.headers.get('allow'), allow, `${method} ${path}`)
      t.equal(response.headers.get('content-type'), 'application/problem+json')
      if (method !== 'HEAD') t.match(await response.json(), { code: 'method-not-allowed' })
    }
  }
})

t.test('what is not HTTP is answered as a problem, and the connection closed', async (t) => {
  const { port } = await startAccepter(t)
  const broken = {
    'no HTTP at all': 'hello\r\n\r\n',
    'TLS on the port': Buffer.from('16030100', 'hex'),
    'a version of its own': 'GET /livez HTTP/9.9\r\nHost: a\r\n\r\n',
    'a header without a colon': 'GET /livez HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n',
    'a blank in a header name': 'GET /livez HTTP/1.1\r\nHost: a\r\nx y: 1\r\n\r\n',
    'two lengths': 'POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na',
    'a length and chunks':
      'POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a length that is none': 'POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n',
  }
  for (const [what, bytes] of Object.entries(broken)) {
    const { status, headers, body } = parseRaw(await exchangeRaw(port, bytes))
    t.equal(status, 400, what)
    t.match(headers, 'content-type: application/problem+json', what)
    t.match(headers, 'connection: close', what)
    t.match(JSON.parse(body), { code: 'bad-request', status: 400 }, what)
  }
})

t.test('a body in broken chunks is a 400', async (t) => {
  const { port } = await startAccepter(t)
  const head = 'POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
  const answer = await exchangeRaw(port, `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`)
  t.equal(parseRaw(answer).status, 400)
})

t.test('a path that cannot be decoded is a 400', async (t) => {
  const { port } = await startAccepter(t)
  const answer = await exchangeRaw(port, 'GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const { status, headers, body } = parseRaw(answer)
  t.equal(status, 400)
  t.match(headers, 'content-type: application/problem+json')
  t.match(JSON.parse(body), { code: 'bad-request' })
})

t.test('a client that goes away in the middle harms nobody', async (t) => {
  const { port, url } = await startAccepter(t)
  const head = 'POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n'
  for (const bytes of ['POST /invo', head, `${head}{"target"`]) {
    const socket = connect(port, '127.0.0.1')
    await new Promise((resolve) => socket.write(bytes, resolve))
    socket.resetAndDestroy()
  }
  t.equal((await post(url)).status, 202)
})

t.test('requests in one packet are answered in order', async (t) => {
  const { port } = await startAccepter(t)
  const body = JSON.stringify({ target: TARGET })
  const request = `POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`
  const last = 'GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  const answer = await exchangeRaw(port, `${request}\r\n${body}${request}\r\n${body}${last}`)
  t.strictSame(answer.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 202', 'HTTP/1.1 202', 'HTTP/1.1 200'])
})

t.test('what cannot be read gives no answer to a request before it', async (t) => {
  const appended = signal()
  const invocations = { recordBytesMax: 1_024, append: () => appended.given }
  const { port } = await startAccepter(t, { invocations })
  const body = JSON.stringify({ target: TARGET })
  const head = `POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`
  const answer = await exchangeRaw(port, `${head}\r\n\r\n${body}hello\r\n\r\n`)
  t.equal(answer, '', 'it may be accepted yet: the connection is only closed')
  appended.give()
})

t.test('/livez answers as long as the process does', async (t) => {
  const { url } = await startAccepter(t, { readiness: () => Promise.reject(new Error('broken')) })
  const response = await fetch(`${url}/livez`)
  t.equal(response.status, 200)
  t.equal(response.headers.get('cache-control'), 'no-store')
  t.strictSame(await response.json(), { status: 'alive' })
  t.equal((await fetch(`${url}/livez`, { method: 'HEAD' })).status, 200)
})

t.test('/readyz says whether and why not', async (t) => {
  let reasons: string[] = []
  const { url } = await startAccepter(t, {
    readiness: async () => ({ ready: reasons.length === 0, reasons }),
  })
  const ready = await fetch(`${url}/readyz`)
  t.equal(ready.status, 200)
  t.equal(ready.headers.get('cache-control'), 'no-store')
  t.strictSame(await ready.json(), { status: 'ready', reasons: [] })
  reasons = ['The disk is full.', 'It rains.']
  const not = await fetch(`${url}/readyz`)
  t.equal(not.status, 503)
  t.equal(not.headers.get('content-type'), 'application/problem+json')
  t.equal(not.headers.get('cache-control'), 'no-store')
  t.equal(not.headers.get('retry-after'), '1')
  t.strictSame(await not.json(), {
    type: 'urn:posthaste:error:not-ready',
    title: 'This process cannot do its work now.',
    status: 503,
    detail: 'The disk is full. It rains.',
    code: 'not-ready',
    reasons,
  })
  t.equal((await fetch(`${url}/readyz`, { method: 'HEAD' })).status, 503)
})

t.test('a ping triggers with whatever method and body, and gets the report', async (t) => {
  const waits: number[] = []
  const ping = async (waitMs: number) => {
    waits.push(waitMs)
    return { drained: true, called: 3 }
  }
  const { url } = await startAccepter(t, { cycle: { ping } })
  const pings: RequestInit[] = [
    {},
    { method: 'HEAD' },
    { method: 'POST' },
    { method: 'POST', body: '' },
    { method: 'POST', body: '{', headers: JSON_TYPE },
    { method: 'POST', body: '', headers: JSON_TYPE },
    { method: 'POST', body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    { method: 'POST', body: '<ping/>', headers: { 'content-type': 'not a type' } },
    { method: 'POST', body: new Uint8Array([0, 255]), headers: { 'content-type': '' } },
    { method: 'POST', body: new Blob(['ping']) },
  ]
  for (const init of pings) {
    const response = await fetch(`${url}/cycle`, init)
    t.equal(response.status, 200, JSON.stringify(init))
    t.equal(response.headers.get('cache-control'), 'no-store')
    if (init.method !== 'HEAD') t.strictSame(await response.json(), { drained: true, called: 3 })
    else t.equal(await response.text(), '')
  }
  t.strictSame(
    waits,
    pings.map(() => 1_000),
  )
  t.equal((await fetch(`${url}/cycle`, { method: 'POST', body: 'a'.repeat(1_025) })).status, 413)
  t.equal(waits.length, pings.length)
})

t.test('a ping waits for as long as it says', async (t) => {
  const waits: number[] = []
  const ping = async (waitMs: number) => {
    waits.push(waitMs)
    return { drained: waitMs > 100, running: true }
  }
  const { url } = await startAccepter(t, { cycle: { ping } })
  for (const wait of ['0ms', '100ms', '2s', 'PT1M']) await fetch(`${url}/cycle?wait=${wait}&else=1`)
  t.strictSame(waits, [0, 100, 2_000, 60_000])
  const unfinished = await fetch(`${url}/cycle?wait=0s`)
  t.equal(unfinished.status, 202)
  t.strictSame(await unfinished.json(), { drained: false, running: true })
  for (const query of ['wait=', 'wait=5', 'wait=61s', 'wait=-1s', 'wait=1s&wait=2s', 'wait[]=1s&wait=a']) {
    const response = await fetch(`${url}/cycle?${query}`)
    t.equal(response.status, 400, query)
    t.match(await response.json(), { code: 'invalid-query' }, query)
  }
  t.equal(waits.length, 5)
})

t.test('a ping that fails is a problem like any other', async (t) => {
  const { url } = await startAccepter(t, { cycle: { ping: () => Promise.reject(new Error('inside')) } })
  const response = await fetch(`${url}/cycle`)
  t.equal(response.status, 500)
  t.notMatch(await response.text(), 'inside')
})
