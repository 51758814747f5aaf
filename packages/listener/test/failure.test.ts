import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { createServer as createTlsServer } from 'node:tls'
import { fileURLToPath } from 'node:url'
import type { ErrorCode } from '@posthaste/core'
import t, { type Test } from 'tap'
import { isShortage } from '../src/call-failure.js'
import { startBlackHole } from './black-hole.js'
import { CERTIFICATE, KEY } from './certificate.js'
import { runOne, startListener, startTarget, startTcpTarget } from './setting.js'

const OK = 'HTTP/1.1 200 OK\r\n'

interface Fault {
  readonly code: ErrorCode
  readonly react: (socket: Socket) => void
}

const faults: Readonly<Record<string, Fault>> = {
  'resets the connection': { code: 'connection-closed', react: (socket) => socket.resetAndDestroy() },
  'closes the connection': { code: 'connection-closed', react: (socket) => socket.end() },
  'closes amid the headers': { code: 'connection-closed', react: (socket) => socket.end(`${OK}Content-`) },
  'closes amid the body': {
    code: 'connection-closed',
    react: (socket) => socket.end(`${OK}Content-Length: 100\r\n\r\nhalf`),
  },
  'resets amid the body': {
    code: 'connection-closed',
    react: (socket) => socket.write(`${OK}Content-Length: 100\r\n\r\nhalf`, () => socket.resetAndDestroy()),
  },
  'closes amid a chunk': {
    code: 'connection-closed',
    react: (socket) => socket.end(`${OK}Transfer-Encoding: chunked\r\n\r\n10\r\nhalf`),
  },
  'closes before the last chunk': {
    code: 'connection-closed',
    react: (socket) => socket.end(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`),
  },
  'answers with something else': { code: 'invalid-response', react: (socket) => socket.end('220 mail ready\r\n') },
  'answers with noise': { code: 'invalid-response', react: (socket) => socket.end(Buffer.alloc(100, 255)) },
  'has a header that is none': { code: 'invalid-response', react: (socket) => socket.end(`${OK}a b\r\n\r\n`) },
  'has a chunk that is none': {
    code: 'invalid-response',
    react: (socket) => socket.end(`${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n`),
  },
  'has headers without end': {
    code: 'invalid-response',
    react: (socket) => socket.end(`${OK}x: ${'a'.repeat(100_000)}\r\n\r\n`),
  },
  'says nothing': { code: 'timeout', react: () => {} },
  'stops amid the headers': { code: 'timeout', react: (socket) => socket.write(`${OK}x: y\r\n`) },
  'stops amid the body': {
    code: 'timeout',
    react: (socket) => socket.write(`${OK}Content-Length: 100\r\n\r\nhalf`),
  },
  'drips its headers': { code: 'timeout', react: (socket) => drip(socket, `${OK}x: ${'a'.repeat(500)}`) },
  'drips its body': { code: 'timeout', react: (socket) => drip(socket, `${OK}Content-Length: 500\r\n\r\n`) },
  'says early hints for ever': {
    code: 'timeout',
    react: (socket) => drip(socket, 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50)),
  },
}

for (const [what, { code, react }] of Object.entries(faults)) {
  t.test(`a target that ${what}: ${code}`, async (t) => {
    const url = await startTcpTarget(t, react)
    await failsWith(t, `${url}/path?query=secret`, code)
  })
}

t.test('a target that takes no connections: connection-refused', async (t) => {
  await failsWith(t, `http://127.0.0.1:${await freePort()}/`, 'connection-refused')
})

t.test('a name that does not resolve: name-not-resolved', async (t) => {
  await failsWith(t, 'http://name.invalid/', 'name-not-resolved')
})

t.test('a certificate that nobody vouches for: tls-failed', async (t) => {
  const server = createTlsServer({ key: KEY, cert: CERTIFICATE }, (socket) => socket.end(`${OK}\r\n`))
  server.on('tlsClientError', () => {})
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  await failsWith(t, `https://127.0.0.1:${port}/`, 'tls-failed')
  await failsWith(t, `https://localhost:${port}/`, 'tls-failed')
})

t.test('a target that does not speak TLS: tls-failed', async (t) => {
  const url = await startTcpTarget(t, (socket) => socket.end(`${OK}\r\n`))
  await failsWith(t, url.replace('http:', 'https:'), 'tls-failed')
})

t.test('a target that hangs in the TLS handshake: timeout', async (t) => {
  const url = await startTcpTarget(t, () => {})
  await failsWith(t, url.replace('http:', 'https:'), 'timeout')
})

t.test('a target that swallows what is sent to it: timeout', async (t) => {
  await failsWith(t, await startBlackHole(t), 'timeout')
})

t.test('without a time-out of its own a call has that of the listener', async (t) => {
  const url = await startTcpTarget(t, () => {})
  const running = await startListener(t, { timeoutMs: 100 })
  const entry = await runOne(running, { target: url })
  t.equal(entry.failure?.code, 'timeout')
  t.match(entry.failure?.detail, '100 ms')
})

for (const host of ['127.0.0.1', 'localhost']) {
  t.test(`a call to ${host} for which there is no file descriptor waits for one`, async (t) => {
    const target = await startTarget(t)
    const script = fileURLToPath(new URL('./few-descriptors.js', import.meta.url))
    const url = target.url.replace('127.0.0.1', host)
    const command = ['-c', 'ulimit -n 256 && exec "$@"', 'sh', process.execPath, script, url]
    const child = spawn('sh', command, { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => void child.kill('SIGKILL'))
    const [output, [code]] = await Promise.all([
      text(child.stdout),
      once(child, 'exit', { signal: AbortSignal.timeout(20_000) }),
    ])
    t.equal(code, 0)
    const { after, taken, without } = JSON.parse(output)
    t.ok(taken > 100, `${taken} were taken`)
    t.match(
      without,
      { drained: false, called: 0, failed: 0, retrying: 0, spilled: 0 },
      'it is not held against the target',
    )
    t.strictSame(without.warnings, [{ code: 'no-descriptor' }], 'said once')
    t.match(after, { drained: true, called: 98, succeeded: 98, attempts: Array(100).fill(1) })
    t.equal(after.expired, 2, 'what ran out of time while it waited is not called')
    t.equal(target.seen.length, 98)
  })
}

t.test('a shortage is no failure of the target, whatever else was tried', async (t) => {
  const failure = (code: string): Error => Object.assign(new Error(code), { code })
  t.ok(isShortage(failure('ENFILE')))
  t.ok(isShortage(new AggregateError([failure('ECONNREFUSED'), failure('EMFILE')])))
  t.notOk(isShortage(new AggregateError([failure('ECONNREFUSED'), failure('ETIMEDOUT')])))
  t.notOk(isShortage(failure('ENOTFOUND')), 'while there are descriptors')
})

t.test('a status that is not 2xx is a failure, and no redirect is followed', async (t) => {
  const target = await startTarget(t, ({ url }, response) => {
    response.writeHead(Number(url.slice(1)), { location: '/200', 'retry-after': '0' }).end('why')
  })
  const running = await startListener(t)
  for (const status of [300, 301, 302, 303, 307, 308, 400, 401, 404, 410, 418, 500, 501, 503, 599]) {
    const entry = await runOne(running, { target: `${target.url}/${status}` })
    t.equal(entry.state, 'failed', `${status}`)
    t.strictSame(entry.failure, { code: 'status', detail: `The target answered ${status}.` })
    t.equal(entry.response?.status, status)
    t.equal(Buffer.from(entry.responseBody).toString(), 'why')
  }
  t.equal(target.seen.length, 15, 'each was called once')
  for (const status of [200, 201, 202, 204, 206, 226, 299])
    t.equal((await runOne(running, { target: `${target.url}/${status}` })).state, 'succeeded', `${status}`)
})

/** Calls a target in vain, and checks how that is recorded. */
async function failsWith(t: Test, target: string, code: ErrorCode): Promise<void> {
  const running = await startListener(t)
  // Whatever else it is, it is to be told before the time-out.
  const timeout = code === 'timeout' ? '300ms' : '60s'
  const entry = await runOne(running, { target, timeout, retry: { maxAttempts: 1 } })
  t.equal(entry.state, 'failed')
  t.equal(entry.failure?.code, code, `${entry.failure?.detail}`)
  t.notMatch(entry.failure?.detail, /secret|127\.0\.0\.1/)
  t.notOk(entry.response)
  t.equal(entry.responseBody.length, 0)
  const { durationMs = 0 } = entry
  if (code === 'timeout') t.ok(durationMs >= 299 && durationMs < 5_000, `after ${durationMs} ms`)
  const stopMs = performance.now()
  await running.listener.stop(20_000)
  t.ok(performance.now() - stopMs < 10_000, 'nothing of it is left to wait for')
}

/** A byte each time, so that no limit on silence is ever met. */
function drip(socket: Socket, text: string): void {
  let at = 0
  const timer = setInterval(() => {
    const sent = socket.write(text.charAt(at) || 'a')
    at += 1
    if (!sent || socket.destroyed) clearInterval(timer)
  }, 10)
  socket.once('close', () => clearInterval(timer))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
