import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { functionMapOf } from '@posthaste/core'
import t, { type Test } from 'tap'
import { CERTIFICATE, KEY } from './certificate.js'
import { functionOf, startDoors, startFunction } from './door-setting.js'
import { exchangeRaw, parseRaw } from './setting.js'

/** A function that is not HTTP as any library makes it: answers each connection with these bytes. */
async function startRawFunction(t: Test, answer: string): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.from(answer, 'latin1')))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('of what an answer may be, all passes on', async (t) => {
  const packed = gzipSync('whole')
  const length = String(packed.length)
  const target = await startFunction(t, (request, response) => {
    const status = Number(request.url?.slice(1))
    if (status === 200) {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      response.setHeaders(new Headers({ 'content-encoding': 'gzip', 'content-length': length }))
    }
    response.writeHead(status, { 'x-name': Buffer.from('é').toString('latin1') })
    // Not as text: with that Node writes headers as UTF-8.
    response.end(request.method === 'HEAD' || status !== 200 ? undefined : packed)
  })
  const { port, url } = await startDoors(t, [functionOf(target)])
  for (const [method, status, body] of [
    ['GET', 200, 'whole'],
    ['HEAD', 200, ''],
    ['OPTIONS', 204, ''],
    ['GET', 304, ''],
    ['POST', 404, ''],
    ['PATCH', 599, ''],
  ] as const) {
    const answer = await fetch(`${url}/function/resize/${status}`, { method })
    const shown = [answer.status, await answer.text(), answer.headers.get('content-type')]
    t.strictSame(shown, [status, body, null], `${method} ${status}`)
    if (status === 200) t.equal(answer.headers.get('content-length'), length, 'as it was packed')
    t.equal(Buffer.from(answer.headers.get('x-name') ?? '', 'latin1').toString(), 'é', 'bytes stay as they are')
  }
  const asked =
    'POST /function/resize/200 HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n'
  t.match(await exchangeRaw(port, `${asked}hi`), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
})

t.test('what is not modified has the length of another answer, and no body', async (t) => {
  const answer = 'HTTP/1.1 304 Not Modified\r\netag: "a"\r\ncontent-length: 5\r\n\r\n'
  const { url } = await startDoors(t, [functionOf(await startRawFunction(t, answer))])
  const shown = await fetch(`${url}/function/resize`, { headers: { 'if-none-match': '"a"' } })
  t.strictSame([shown.status, shown.headers.get('etag'), await shown.text()], [304, '"a"', ''])
  for (const path of ['/2015-03-31/functions/resize/invocations', '/2023-03-30/functions/resize/invocations']) {
    const invoked = await fetch(url + path, { method: 'POST' })
    t.strictSame([invoked.status, await invoked.text()], [200, ''], path)
  }
})

t.test('what is no answer is an error, and harms nobody else', async (t) => {
  const { change, url } = await startDoors(t, [])
  for (const [what, answer] of [
    ['a status that there is not', 'HTTP/1.1 700 What\r\ncontent-length: 2\r\n\r\nhi'],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'],
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(40_000)}\r\n\r\n`],
  ] as const) {
    change([functionOf(await startRawFunction(t, answer))])
    const { status } = await fetch(`${url}/function/resize`)
    t.equal(status, 502, what)
  }
  for (const [what, answer] of [
    ['less than it said', 'HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\nhi'],
    ['a chunk that is none', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\nzz\r\n'],
  ] as const) {
    change([functionOf(await startRawFunction(t, answer))])
    const cut = await fetch(`${url}/function/resize`)
    await t.rejects(cut.text(), `${what}: the client sees that it is not whole`)
  }
})

t.test('of the headers those of one connection pass neither way', async (t) => {
  const seen: IncomingMessage['headers'][] = []
  const target = await startFunction(t, ({ headers }, response) => {
    seen.push(headers)
    const ours = { 'posthaste-depth': '1', Posthaste_Id: 'forged' }
    const ofTheConnection = { connection: 'x-gone, close', 'x-gone': '1', 'keep-alive': 'timeout=9' }
    response.writeHead(200, { ...ours, ...ofTheConnection, 'x-kept': '1' }).end()
  })
  const { port } = await startDoors(t, [functionOf(target, { headers: { authorization: 'the key' } })])
  const head = [
    'GET /function/resize HTTP/1.1',
    ...['host: a', 'connection: close, X-Mine, authorization', 'x-mine: 1', 'Authorization: mine', 'te: trailers'],
    ...[
      'upgrade: h2c',
      'http2-settings: AA',
      'proxy-authorization: Basic eA==',
      'keep-alive: 1',
      'posthaste-id: forged',
    ],
    ...['Posthaste_Id: forged', 'content_length: 99', 'x-kept: a', 'X-Kept: b', 'x-forwarded-for: 1.2.3.4'],
  ]
  const { headers, status } = parseRaw(await exchangeRaw(port, `${head.join('\r\n')}\r\n\r\n`))
  t.equal(status, 200)
  const { host, ...got } = seen[0] ?? {}
  t.equal(host, new URL(target).host)
  t.strictSame(got, {
    'x-kept': 'a, b',
    'x-forwarded-for': '1.2.3.4',
    authorization: 'the key',
    'posthaste-depth': '0',
    connection: 'keep-alive',
  })
  t.match(headers, 'x-kept: 1')
  t.notMatch(headers, /x-gone|timeout=9|posthaste/)
})

t.test('a function over TLS is one that somebody vouches for, as the rules of its origin say', async (t) => {
  const server = createTlsServer({ key: KEY, cert: CERTIFICATE }, (_, response) => response.end('over TLS'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const functions = functionMapOf([functionOf(`https://localhost:${port}/`)])
  const doors = { functions: () => functions, doors: [{ name: 'prefer', prefix: '' }] }
  const asked: string[] = []
  const tlsOf = (origin: string) => {
    asked.push(origin)
    return { ca: CERTIFICATE }
  }
  const [strict, told] = [await startDoors(t, [], { doors }), await startDoors(t, [], { doors: { ...doors, tlsOf } })]
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
  })
  t.equal((await fetch(`${strict.url}/function/resize`)).status, 502, 'whatever Node is told')
  t.equal(await (await fetch(`${told.url}/function/resize`)).text(), 'over TLS')
  t.strictSame(asked, [`https://localhost:${port}`])
})

t.test('a loop ends, at every door that leads into it', async (t) => {
  const { change, url } = await startDoors(t, [])
  const passes: string[] = []
  const between = createServer((asked: IncomingMessage, response: ServerResponse) => {
    passes.push(String(asked.headers['posthaste-depth']))
    const { 'posthaste-depth': depth } = asked.headers
    void fetch(`${url}/function/loop`, { headers: { 'posthaste-depth': String(depth) } }).then((answer) =>
      response.writeHead(answer.status).end(),
    )
  })
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
  t.teardown(() => between.close())
  change([
    functionOf(`${url}/function/resize`),
    functionOf(`http://127.0.0.1:${(between.address() as AddressInfo).port}`, { name: 'loop' }),
  ])
  t.equal((await fetch(`${url}/function/resize`)).status, 422, 'a function that is itself')
  t.equal((await fetch(`${url}/function/loop`)).status, 422, 'by a service that hands on how deep it is')
  t.strictSame(passes, ['0', '1', '2', '3', '4', '5', '6', '7', '8'])
  for (const depth of ['8', 'many'])
    for (const path of [
      '/async-function/resize',
      '/function/resize/async',
      `/call?to=https%3A%2F%2Fapi.example.com%2F`,
    ]) {
      const { status } = await fetch(url + path, { method: 'POST', headers: { 'posthaste-depth': depth } })
      t.equal(status, depth === '8' ? 422 : 400, path)
    }
})
