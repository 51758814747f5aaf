import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { functionOf, startDoors, startFunction } from './door-setting.js'
import { closed, exchangeRaw, parseRaw, signal, silent } from './setting.js'

const CHUNK = Buffer.alloc(64 * 1024, 'x')
/** What connections and streams on the way may hold between them. */
const ON_THE_WAY_MAX = 64 * 1024 * 1024

t.test('a client that goes away ends the call', async (t) => {
  for (const [when, head] of [
    ['before there is an answer', 'POST /function/resize HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi'],
    ['while he sends', 'POST /function/resize HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhi'],
    ['while it is answered', 'GET /function/resize HTTP/1.1\r\nhost: a\r\n\r\n'],
  ] as const) {
    const [came, ended] = [signal(), signal()]
    const target = await startFunction(t, (request, response) => {
      request.resume()
      if (request.method === 'GET') response.write('the first of many')
      came.give()
      response.once('close', () => ended.give())
    })
    const { port } = await startDoors(t, [functionOf(target)])
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(head)
    await came.given
    if (when === 'while it is answered') await once(socket, 'data')
    socket.destroy()
    await ended.given
    t.pass(when)
  }
})

t.test('nor does it go on for who left while he waited for another answer', async (t) => {
  const ended = signal()
  const [first, second] = [signal(), signal()]
  const target = await startFunction(t, (request, response) => {
    if (request.url === '/first') return first.give()
    response.write('already')
    response.once('close', () => ended.give())
    second.give()
  })
  const { port } = await startDoors(t, [functionOf(target)])
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  for (const path of ['first', 'second']) socket.write(`GET /function/resize/${path} HTTP/1.1\r\nhost: a\r\n\r\n`)
  await Promise.all([first.given, second.given])
  socket.destroy()
  await ended.given
})

t.test('an answer begins when that of the function does, and breaks where it does', async (t) => {
  let breakOff = (): void => {}
  const target = await startFunction(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-of': 'it' }).flushHeaders()
    breakOff = () => request.socket.resetAndDestroy()
  })
  const told: object[] = []
  const log = { ...silent, warn: (line: object) => void told.push(line) }
  const { port, url } = await startDoors(t, [functionOf(target)], { log })
  const left = await fetch(`${url}/function/resize`)
  await left.body?.cancel()
  const answer = await fetch(`${url}/function/resize`)
  t.strictSame([answer.status, answer.headers.get('x-of')], [200, 'it'])
  breakOff()
  await t.rejects(answer.text(), 'whoever reads it sees that it is not whole')
  t.match(told, [{ where: 'function resize', code: 'function-failed' }], 'and so does the operator')
  t.equal(told.length, 1, 'who went away is no failure')
  // Where the end of an answer is that of its connection, its end must not look like one.
  const old = connect(port, '127.0.0.1', () => old.write('GET /function/resize HTTP/1.0\r\n\r\n'))
  const broken = once(old, 'end')
  await once(old, 'data')
  breakOff()
  await t.rejects(broken, { code: 'ECONNRESET' })
})

t.test('nothing is put into an answer that has begun, whatever else its client sends', async (t) => {
  const target = await startFunction(t, (_, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('part')
  })
  const { port } = await startDoors(t, [functionOf(target)])
  const socket = connect(port, '127.0.0.1')
  socket.write('POST /function/resize HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n')
  let text = ''
  socket.setEncoding('latin1').on('data', (some: string) => {
    text += some
    if (text.endsWith('part')) socket.write('no chunk\r\n')
  })
  await closed(socket)
  t.match(text, /\r\n\r\npart$/)
})

t.test('an endless answer that nobody reads is not read either', async (t) => {
  let sent = 0
  let isWaiting = false
  const target = await startFunction(t, async (_, response) => {
    while (!response.destroyed) {
      isWaiting = !response.write(CHUNK)
      sent += CHUNK.length
      if (isWaiting) await Promise.race([once(response, 'drain'), once(response, 'close')])
      isWaiting = false
    }
  })
  const { port } = await startDoors(t, [functionOf(target)])
  const socket = connect(port, '127.0.0.1')
  socket.pause().write('GET /function/resize HTTP/1.1\r\nhost: a\r\n\r\n')
  for (let before = -1; before !== sent || sent === 0; await sleep(1_000)) before = sent
  t.ok(isWaiting && sent < ON_THE_WAY_MAX, `it stands still after ${sent} bytes`)
  socket.destroy()
})

t.test('nor is a body that a function does not read', async (t) => {
  const target = await startFunction(t, () => {})
  const { port } = await startDoors(t, [functionOf(target)])
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.write(`POST /function/resize HTTP/1.1\r\nhost: a\r\ncontent-length: ${2 ** 40}\r\n\r\n`)
  let sent = 0
  const fill = (): void => {
    while (socket.write(CHUNK)) sent += CHUNK.length
    sent += CHUNK.length
  }
  socket.on('drain', fill)
  fill()
  for (let before = -1; before !== sent; await sleep(1_000)) before = sent
  t.ok(sent < ON_THE_WAY_MAX, `it stands still after ${sent} bytes`)
  socket.destroy()
})

t.test('a function may answer before it has read all', async (t) => {
  const target = await startFunction(t, (_, response) => response.writeHead(413).end('too much for me'))
  const { port } = await startDoors(t, [functionOf(target)])
  const asking = request({ port, method: 'POST', path: '/function/resize', headers: { 'content-length': 10_000_000 } })
  asking.on('error', () => {})
  asking.write(CHUNK)
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of answer) text += chunk
  t.strictSame([answer.statusCode, text], [413, 'too much for me'])
  asking.destroy()
})

t.test('what comes of a body after the answer is no request, and keeps none from being answered', async (t) => {
  const target = await startFunction(t, (request, response) => {
    if (request.url === '/whole') request.resume()
    else response.end(request.method === 'GET' ? 'the next' : 'enough')
  })
  const { port } = await startDoors(t, [functionOf(target, { limits: { bodyBytes: 6_000_000 } })])
  for (const [path, length, answered] of [
    ['/early', 5_000_000, 'enough'],
    ['/whole', 7_000_000, 'too-large'],
  ] as const) {
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST /function/resize${path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n`)
    socket.write(`${length.toString(16)}\r\n`)
    socket.write(Buffer.alloc(length))
    socket.write('\r\n0\r\n\r\nGET /function/resize HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    let text = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part
    })
    await closed(socket)
    t.match(text, new RegExp(`${answered}[^]*the next$`))
  }
})

t.test('a body has the length that it says, or none', async (t) => {
  const seen: string[] = []
  const target = await startFunction(t, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    seen.push(body)
    response.end()
  })
  const { port } = await startDoors(t, [functionOf(target, { limits: { bodyBytes: 10 } })])
  const ask = async (method: string, rest: string): Promise<number> => {
    const head = `${method} /function/resize HTTP/1.1\r\nhost: a\r\nconnection: close\r\n`
    return parseRaw(await exchangeRaw(port, `${head}${rest}`)).status
  }
  const chunked = 'transfer-encoding: chunked\r\n\r\n'
  t.equal(await ask('POST', 'content-length: 3\r\n\r\nabc'), 200)
  t.equal(await ask('POST', `${chunked}3\r\nabc\r\n0\r\n\r\n`), 200)
  t.equal(await ask('POST', 'content-length: 0\r\n\r\n'), 200)
  t.equal(await ask('POST', '\r\n'), 200)
  t.equal(await ask('GET', 'content-length: 3\r\n\r\nabc'), 200)
  t.equal(await ask('DELETE', 'content-type: text/plain\r\ncontent-length: 3\r\n\r\nabc'), 200)
  t.strictSame(seen, ['abc', 'abc', '', '', 'abc', 'abc'])
  t.equal(await ask('POST', `content-length: 11\r\n\r\n${'a'.repeat(11)}`), 413)
  t.equal(await ask('POST', `${chunked}b\r\n${'a'.repeat(11)}\r\n0\r\n\r\n`), 413)
  t.equal(await ask('POST', 'content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'), 400, 'not both')
  t.equal(seen.length, 6, 'no function has had these whole')
})

t.test('a body that breaks off is no call', async (t) => {
  const { calls, port, url } = await startDoors(t, [functionOf('http://10.0.0.1/', { limits: { bodyBytes: 2 ** 40 } })])
  const to = encodeURIComponent('https://api.example.com/')
  for (const path of ['/async-function/resize', '/function/resize/async', `/call?to=${to}`])
    for (const body of ['content-length: 9\r\n\r\nhi', 'transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n']) {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      socket.end(`POST ${path} HTTP/1.1\r\nhost: a\r\n${body}`)
      await closed(socket.resume())
    }
  // Asked after them, so answered after them.
  t.equal((await fetch(`${url}/async-function/resize`, { method: 'POST', body: Buffer.alloc(2_000_000) })).status, 413)
  t.strictSame(calls(), [])
})

t.test('time is up where no answer begins, and where it does not go on', async (t) => {
  const target = await startFunction(t, (request, response) => {
    if (request.url === '/silent') return
    response.write('part')
    if (request.url === '/slow') setTimeout(() => response.end(' and the rest'), 600)
  })
  const { url } = await startDoors(t, [
    functionOf(target, { syncTimeoutMs: 300 }),
    functionOf(target, { name: 'halting', syncTimeoutMs: 2_000 }),
    functionOf(target, { name: 'slow', timeoutMs: 60_000 }),
  ])
  t.equal((await fetch(`${url}/function/resize/silent`)).status, 504)
  await t.rejects((await fetch(`${url}/function/halting`)).text())
  t.equal(await (await fetch(`${url}/function/slow/slow`)).text(), 'part and the rest')
})

t.test('a stop cuts an answer that has no end', async (t) => {
  const target = await startFunction(t, (_, response) => void response.write('for ever'))
  const functions = [functionOf(target)]
  const { stop, url } = await startDoors(t, functions)
  const reading = (await fetch(`${url}/function/resize`)).text()
  reading.catch(() => {})
  await stop()
  await t.rejects(reading)
})
