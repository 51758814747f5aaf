import dns, { type LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { closed, exchangeRaw, Notebook, parseRaw, post, silent, startAccepter } from './setting.js'

const HEAD = 'POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n'
const LIVEZ = 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'
const REQUEST_MS = 2_500
/** How often the accepter looks, and what a busy machine adds. */
const LATE_MS_MAX = 4_000

t.test('who takes too long for a request gets a 408, and is cut off', async (t) => {
  const notebook = new Notebook()
  const { port, url } = await startAccepter(t, { invocations: notebook, requestTimeoutMs: REQUEST_MS })
  const slow = {
    'a body of one byte a second': { bytes: HEAD, drop: '{' },
    'a head of one byte a second': { bytes: 'GET /livez HTTP/1.1\r\nx: ', drop: 'x' },
    'half a body and no more': { bytes: `${HEAD}{"target":`, drop: '' },
    'half a head and no more': { bytes: 'GET /livez HT', drop: '' },
    'nothing at all': { bytes: '', drop: '' },
  }
  const cut = Object.entries(slow).map(async ([what, { bytes, drop }]) => {
    const { answer, tookMs } = await dripping(port, bytes, drop)
    const { body, headers, status } = parseRaw(answer)
    t.equal(status, 408, what)
    t.match(headers, 'content-type: application/problem+json', what)
    t.match(headers, 'connection: close', what)
    t.match(JSON.parse(body), { code: 'request-timeout', status: 408 }, what)
    t.ok(tookMs >= REQUEST_MS && tookMs < REQUEST_MS + LATE_MS_MAX, `${what}: after ${Math.round(tookMs)} ms`)
  })
  t.equal((await post(url)).status, 202, 'nobody else has to wait')
  await Promise.all(cut)
  t.equal(notebook.appends.length, 1)
})

t.test('who is answered before his body has come gets no second answer for what is wrong with it', async (t) => {
  const { port } = await startAccepter(t)
  const head = 'POST /none HTTP/1.1\r\nHost: a\r\n'
  const broken = {
    'a body that ends early': { begin: `${head}Content-Length: 99\r\n\r\n{`, end: '' },
    'a chunk that is none': { begin: `${head}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`, end: 'no chunk\r\n' },
  }
  for (const [what, { begin, end }] of Object.entries(broken)) {
    const socket = connect(port, '127.0.0.1')
    let answers = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      answers += text
    })
    socket.write(begin)
    await once(socket, 'data')
    socket.end(end)
    await closed(socket)
    t.strictSame(answers.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 404'], what)
  }
})

t.test('a connection too many is closed as it comes, and the others are served', async (t) => {
  const lines: object[] = []
  let heard = (): void => {}
  const over = new Promise<void>((resolve) => {
    heard = resolve
  })
  const log = {
    ...silent,
    warn: (fields: object) => void lines.push(fields),
    info: (fields: object) => {
      lines.push(fields)
      heard()
    },
  }
  const { port } = await startAccepter(t, { log, connectionsMax: 4 })
  const [first, second] = [await connected(port), await connected(port)]
  for (let count = 0; count < 3; count += 1) t.equal(await exchangeRaw(port, LIVEZ), '', 'closed without an answer')
  for (const socket of [first, second]) {
    socket.write(LIVEZ)
    t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200 /)
  }
  t.strictSame(lines, [
    {
      where: 'connections',
      code: 'overloaded',
      reason: 'Of 4 connections there are 2; no more are taken of 127.0.0.1.',
    },
  ])
  const other = await connected(port, '127.0.0.2')
  other.write(LIVEZ)
  t.match(String((await once(other, 'data'))[0]), /^HTTP\/1\.1 200 /, 'another address has room')
  other.destroy()

  first.destroy()
  // When the server learns of it is not told.
  while ((await exchangeRaw(port, LIVEZ.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))) === '');
  await over
  t.match(lines.at(-1), { where: 'connections', refused: Number })
  t.equal(lines.length, 2)
  second.destroy()
})

t.test('of a name with two addresses the first is listened on: limits are those of one server', async (t) => {
  // Not every machine has a `localhost` with two.
  const two = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }))
  const { lookup } = dns
  t.intercept(dns, 'lookup', {
    value: (name: string, options: dns.LookupAllOptions, done: (error: null, found: LookupAddress[]) => void) =>
      name === 'localhost' && options.all ? done(null, two) : lookup(name, options, done as never),
  })
  const { url } = await startAccepter(t, { host: 'localhost' })
  t.equal((await fetch(`${url}/livez`)).status, 200)
  t.strictSame(
    process.getActiveResourcesInfo().filter((kind) => kind === 'TCPServerWrap'),
    ['TCPServerWrap'],
  )
})

async function connected(port: number, localAddress = '127.0.0.1') {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  await once(socket, 'connect')
  return socket
}

/** Sends some bytes, and then a drop each second until the connection is closed. */
async function dripping(port: number, bytes: string, drop: string): Promise<{ answer: string; tookMs: number }> {
  const startedMs = performance.now()
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text
  })
  socket.write(bytes)
  const drip = setInterval(() => socket.write(drop), 1_000)
  await closed(socket)
  clearInterval(drip)
  return { answer, tookMs: performance.now() - startedMs }
}
