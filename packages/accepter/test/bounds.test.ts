import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { LIMITS } from '@posthaste/core'
import t, { type Test } from 'tap'
import { Bodies } from '../src/bodies.js'
import { isNestedBeyond } from '../src/json-depth.js'
import { closed, exchangeRaw, JSON_TYPE, Notebook, parseRaw, post, signal, startAccepter, TARGET } from './setting.js'

const MIB = 1024 ** 2
setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

const { jsonDepthMax, requestHeadBytesMax, requestHeadersMax } = LIMITS
const HEAD = 'POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
const GET = 'GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'

t.test('a head that is too large, or has too many headers, is a 431', async (t) => {
  const { port } = await startAccepter(t)
  const heads = {
    'a long header': `${GET}x: ${'a'.repeat(requestHeadBytesMax)}\r\n\r\n`,
    'a long name': `${GET}${'x'.repeat(requestHeadBytesMax)}: a\r\n\r\n`,
    'a long URL': GET.replace('/livez', `/${'a'.repeat(requestHeadBytesMax)}`).concat('\r\n'),
    'many headers that are empty': `${GET}${'a:\r\n'.repeat(5_000)}\r\n`,
    'one header too many': `${GET}${'a: b\r\n'.repeat(requestHeadersMax - 1)}\r\n`,
  }
  for (const [what, head] of Object.entries(heads)) {
    const { body, headers, status } = parseRaw(await exchangeRaw(port, head))
    t.equal(status, 431, what)
    t.match(headers, 'content-type: application/problem+json', what)
    t.match(JSON.parse(body), { code: 'headers-too-large', status: 431 }, what)
  }
  const fits = {
    'as many headers as may be': `${GET}${'a: b\r\n'.repeat(requestHeadersMax - 2)}\r\n`,
    'a URL as long as a cursor': GET.replace('/livez', `/livez?${'a'.repeat(8_000)}`).concat('\r\n'),
  }
  for (const [what, head] of Object.entries(fits)) t.equal(parseRaw(await exchangeRaw(port, head)).status, 200, what)
})

t.test('a body that is too large is a 413 as soon as that is known', async (t) => {
  const { port } = await startAccepter(t)
  const chunk = `100000\r\n${'a'.repeat(MIB)}\r\n`
  const bodies = {
    'said beforehand, and not sent': `${HEAD}Content-Length: 99999999999\r\n\r\n`,
    'in chunks': `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(7)}`,
    'with much said of a chunk': `${HEAD}Transfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(20_000)}\r\n`,
  }
  for (const [what, bytes] of Object.entries(bodies)) {
    const { body, headers, status } = parseRaw(await exchangeRaw(port, bytes))
    t.equal(status, 413, what)
    t.match(headers, 'connection: close', what)
    t.match(JSON.parse(body), { code: 'too-large' }, what)
  }
})

t.test('what is packed is not unpacked', async (t) => {
  const { url } = await startAccepter(t)
  const packed = gzipSync(JSON.stringify({ target: TARGET }))
  for (const encoding of ['gzip', 'br', 'deflate, gzip', 'nonsense']) {
    const response = await post(url, packed, { 'content-encoding': encoding })
    t.equal(response.status, 415, encoding)
    t.match(await response.json(), { code: 'unsupported-media-type' })
  }
  t.equal((await post(url, undefined, { 'content-encoding': 'Identity' })).status, 202)
})

t.test('JSON has so many levels, and one more is a 413', async (t) => {
  const notebook = new Notebook()
  const { url } = await startAccepter(t, { invocations: notebook })
  const nested = (levels: number): string =>
    `{"target":"${TARGET}","body":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
  t.equal((await post(url, nested(jsonDepthMax))).status, 202)
  for (const levels of [jsonDepthMax + 1, 100_000, 1_000_000]) {
    const response = await post(url, nested(levels))
    t.equal(response.status, 413, `${levels} levels`)
    t.match(await response.json(), { code: 'too-large' })
  }
  const batch = '['.repeat(LIMITS.batchBytesMax)
  const response = await fetch(`${url}/invocations/batch`, { method: 'POST', headers: JSON_TYPE, body: batch })
  t.equal(response.status, 413, 'read, this would take a GiB')
  t.equal(notebook.appends.length, 1)
})

t.test('levels are those of lists and objects, not of what strings say', async (t) => {
  const beyond = (text: string, levels: number): boolean => isNestedBeyond(Buffer.from(text), levels)
  t.ok(beyond('[[[1]],"some more text"]', 2))
  t.notOk(beyond('[[[1]],"some more text"]', 3))
  t.ok(beyond('{"a":{"b":[1, 2, 3]}}', 2))
  t.notOk(beyond('[[],[],[],[],[],[],[]]', 2), 'side by side')
  t.notOk(beyond(`["${'['.repeat(100)}"]`, 1), 'in a string')
  t.notOk(beyond(`["\\"${'['.repeat(100)}"]`, 1), 'behind an escaped quote')
  t.ok(beyond(`["\\\\",${'['.repeat(100)}`, 50), 'behind a string that ends with a backslash')
  t.notOk(beyond(`["${'['.repeat(100)}`, 1), 'a string that does not end')
})

t.test('what is on its way in has one limit for all together, of which nobody can take all', async (t) => {
  const bodies = new Bodies(200_000)
  const port = await readingBodies(t, bodies, 80_000)
  const request = (sent: number, path = '/'): string =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 70000\r\n\r\n${'a'.repeat(sent)}`

  const slow = connect(port, '127.0.0.1')
  slow.write(request(60_000))
  await until(() => bodies.bytes === 60_000)
  t.equal(parseRaw(await exchangeRaw(port, request(70_000))).body, 'overloaded')
  t.equal(bodies.bytes, 60_000, 'what was refused no longer counts')
  t.equal(parseRaw(await exchangeRaw(port, request(70_000, '/other'))).body, '70000', 'another tenant has room')
  slow.destroy()
  await until(() => bodies.bytes === 0)
  t.equal(parseRaw(await exchangeRaw(port, request(70_000))).body, '70000')
  t.equal(bodies.bytes, 0)
})

t.test('a body that comes byte by byte takes no more memory than another', async (t) => {
  const bodies = new Bodies(4 * MIB)
  const port = await readingBodies(t, bodies, 4 * MIB)
  const socket = connect(port, '127.0.0.1')
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  const beforeBytes = usedBytes()
  for (let sent = 0; sent < MIB / 4; sent += 2 ** 14) {
    socket.write('1\r\na\r\n'.repeat(2 ** 14))
    await until(() => bodies.bytes === sent + 2 ** 14)
  }
  const grownMiB = (usedBytes() - beforeBytes) / MIB
  t.ok(grownMiB < 8, `${grownMiB.toFixed()} MiB more`)
  socket.destroy()
})

t.test('who does not fetch his answer is cut off', async (t) => {
  const text = 'a'.repeat(64 * MIB)
  const { port, url } = await startAccepter(t, {
    answerTimeoutMs: 2_000,
    metrics: async () => ({ contentType: 'text/plain', text }),
  })
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'readable')
  t.equal((await (await fetch(`${url}/metrics`)).text()).length, text.length, 'who does gets all of it')
  // A little, again and again, so that no limit on silence is ever met.
  const fetching = setInterval(() => socket.read(4_096), 20)
  await closed(socket)
  clearInterval(fetching)
  t.ok(socket.bytesRead < text.length, `${socket.bytesRead} bytes came`)
})

t.test('so many pings wait, and one more is answered at once', async (t) => {
  const waits: number[] = []
  const drained = signal()
  const ping = async (waitMs: number) => {
    waits.push(waitMs)
    if (waitMs > 0) await drained.given
    return { drained: waitMs > 0 }
  }
  const { url } = await startAccepter(t, { cycle: { ping }, waitingMax: 4 })
  const first = [fetch(`${url}/cycle?wait=1m`), fetch(`${url}/cycle?wait=1m`)]
  await until(() => waits.length === 2)
  t.equal((await fetch(`${url}/cycle?wait=1m`)).status, 202)
  drained.give()
  for (const answer of first) t.equal((await answer).status, 200)
  t.equal((await fetch(`${url}/cycle?wait=1m`)).status, 200)
  t.strictSame(waits, [60_000, 60_000, 0, 60_000])
})

/** A server that reads bodies, each for the tenant that the path names, and answers how long they are; returns its port. */
async function readingBodies(t: Test, bodies: Bodies, bytesMax: number): Promise<number> {
  const server = createServer((request, response) => {
    bodies.read(request, { tenant: request.url ?? '', bytesMax }, (error, body) =>
      response.end(error ? (error as { code?: string }).code : `${body?.length}`),
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** What is in use, and no garbage. */
function usedBytes(): number {
  collectGarbage()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}
