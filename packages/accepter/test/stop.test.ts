import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  closed,
  exchangeRaw,
  JSON_TYPE,
  Notebook,
  openStreams,
  post,
  readCalls,
  signal,
  startAccepter,
  TARGET,
} from './setting.js'

t.test('what is in work is answered, and the connection closed', async (t) => {
  const began = signal()
  const finished = signal()
  const append = (): Promise<void> => {
    began.give()
    return finished.given
  }
  const { accepter, url } = await startAccepter(t, { invocations: { recordBytesMax: 1_024, append } })
  const answer = post(url)
  await began.given
  const stopped = accepter.stop()
  t.equal(accepter.stop(), stopped, 'stopping twice is stopping once')
  // That nothing is cut takes time to show: longer than the stop gives to those who have not sent a whole request.
  await sleep(1_200)
  finished.give()
  const response = await answer
  t.equal(response.status, 202)
  t.equal(response.headers.get('connection'), 'close')
  await stopped
})

t.test('a request on a connection that is open still gets a 503 that says so', async (t) => {
  const began = signal()
  const finished = signal()
  const notebook = new Notebook()
  const ping = async () => {
    began.give()
    await finished.given
    return { drained: true }
  }
  const { accepter, port } = await startAccepter(t, { invocations: notebook, cycle: { ping } })
  const body = JSON.stringify({ target: TARGET })
  const cycle = 'GET /cycle HTTP/1.1\r\nHost: a\r\n\r\n'
  const call = `POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const half = connect(port, '127.0.0.1')
  await write(half, call.slice(0, 30))
  const busy = connect(port, '127.0.0.1')
  await write(busy, cycle)
  await began.given
  await readUpToNow(port)
  const stopped = accepter.stop()
  half.write(call.slice(30))
  const answer = await textOf(half)
  t.match(answer, /^HTTP\/1\.1 503 /)
  t.match(answer, /\r\nconnection: close\r\n/i)
  t.match(answer, /\r\nretry-after: 1\r\n/i)
  t.match(answer, '"code":"stopping"')
  t.equal(notebook.appends.length, 0)
  finished.give()
  t.match(await textOf(busy), /^HTTP\/1\.1 200 /)
  await stopped
})

t.test('who has connected and says nothing, or half of something, holds nothing up', async (t) => {
  const { accepter, port, url } = await startAccepter(t)
  await (await post(url)).text()
  const head = 'POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n'
  const sockets = ['', 'GET /liv', head, `${head}{"tar`].map((bytes) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    return { socket, written: write(socket, bytes) }
  })
  await Promise.all(sockets.map(({ written }) => written))
  await readUpToNow(port)
  const startedMs = performance.now()
  await Promise.all([accepter.stop(), ...sockets.map(({ socket }) => textOf(socket))])
  t.ok(performance.now() - startedMs < 3_000, `${performance.now() - startedMs} ms`)
})

t.test('who has gone away before the answer holds nothing up', async (t) => {
  const began = signal()
  const finished = signal()
  const append = (): Promise<void> => {
    began.give()
    return finished.given
  }
  const { accepter, port } = await startAccepter(t, { invocations: { recordBytesMax: 1_024, append } })
  const body = JSON.stringify({ target: TARGET })
  const gone = connect(port, '127.0.0.1')
  gone.write(
    `POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  await began.given
  gone.resetAndDestroy()
  const silent = connect(port, '127.0.0.1')
  await once(silent, 'connect')
  await readUpToNow(port)
  const startedMs = performance.now()
  await Promise.all([accepter.stop(), textOf(silent)])
  t.ok(performance.now() - startedMs < 3_000, `${performance.now() - startedMs} ms`)
  finished.give()
})

t.test('a stop of nothing is quick', async (t) => {
  const { accepter } = await startAccepter(t)
  const startedMs = performance.now()
  await accepter.stop()
  t.ok(performance.now() - startedMs < 5_000)
})

t.test('nobody can connect any more', async (t) => {
  const { accepter, port } = await startAccepter(t)
  await accepter.stop()
  await t.rejects(once(connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
})

t.test('stopping under load loses nothing that was accepted and cuts no answer', async (t) => {
  const { stream, other } = await openStreams(t)
  const { accepter, port } = await startAccepter(t, {
    invocations: { recordBytesMax: 16_384, append: (log, records) => stream.append(log, records) },
  })
  const accepted: string[] = []
  const faults: string[] = []
  const refusals: (number | string)[] = []
  const clients = Array.from({ length: 40 }, () => client(port, { accepted, faults, refusals }))
  while (accepted.length < 200) await sleep(5)
  await accepter.stop()
  await Promise.all(clients)
  const stored = new Set((await readCalls(other)).map(({ key }) => key))
  t.strictSame(faults, [], 'no answer was cut')
  t.strictSame(
    accepted.filter((id) => !stored.has(id)),
    [],
    `${accepted.length} accepted, ${refusals.length} refused`,
  )
  t.equal(stored.size, accepted.length, 'what is stored was answered')
  // A connection may be closed while the next request is on its way: that it was not taken is plain to the client.
  for (const refusal of refusals) t.ok([503, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(refusal), `${refusal}`)
})

interface Notes {
  readonly accepted: string[]
  readonly faults: string[]
  readonly refusals: (number | string)[]
}

/** Posts one after the other on a connection that it keeps, until it is refused. */
async function client(port: number, { accepted, faults, refusals }: Notes): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (;;) {
    const body = JSON.stringify({ target: TARGET, body: 'a'.repeat(500) })
    const options = { port, host: '127.0.0.1', agent, method: 'POST', path: '/invocations', headers: JSON_TYPE }
    const sent = request(options)
    sent.end(body)
    try {
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      const text = Buffer.concat(await response.toArray()).toString()
      if (response.statusCode === 202) accepted.push((JSON.parse(text) as { id: string }).id)
      else refusals.push(response.statusCode as number)
      if (!response.complete) faults.push(text)
      if (response.statusCode !== 202) break
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      refusals.push(code ?? message)
      break
    }
  }
  agent.destroy()
}

/** Resolves once the system has the bytes. */
function write(socket: Socket, bytes: string): Promise<void> {
  return new Promise((resolve) => socket.write(bytes, () => resolve()))
}

/** Resolves once the server has read what the system had for it: one that connected later has been answered. */
async function readUpToNow(port: number): Promise<void> {
  await exchangeRaw(port, 'GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
}

async function textOf(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  await closed(socket)
  return text
}
