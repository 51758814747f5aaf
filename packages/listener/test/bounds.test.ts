import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { LIMITS } from '@posthaste/core'
import t from 'tap'
import { runOne, startListener, startTarget, startTcpTarget } from './setting.js'

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const MIB = 1024 ** 2

t.test('what is packed is not unpacked', async (t) => {
  const packed = gzipSync(Buffer.alloc(64 * MIB))
  const target = await startTarget(t, (_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' }).end(packed)
  })
  const entry = await runOne(await startListener(t, { responseBytesMax: 256 * 1024 }), { target: target.url })
  t.equal(entry.response?.bodyBytes, packed.length)
  t.ok(packed.equals(entry.responseBody))
})

t.test('the head of a response has its limit', async (t) => {
  const url = await startTcpTarget(t, (socket) =>
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${'a:\r\n'.repeat(LIMITS.responseHeadBytesMax)}\r\n`),
  )
  const entry = await runOne(await startListener(t), { target: url, retry: { maxAttempts: 1 } })
  t.match(entry.failure, { code: 'invalid-response' })
})

// The deadline is for the whole of a call, and nothing of what comes until then is kept.
const endless: Readonly<Record<string, { readonly first: string; readonly again: string }>> = {
  'a body': { first: CHUNKED, again: `10000\r\n${'a'.repeat(65_536)}\r\n` },
  'a body of single bytes': { first: CHUNKED, again: '1\r\na\r\n'.repeat(5_000) },
  'what is said of a chunk': { first: `${CHUNKED}1;`, again: 'a'.repeat(65_536) },
  'early hints': { first: '', again: 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(500) },
  trailers: { first: `${CHUNKED}0\r\n`, again: `x: ${'a'.repeat(1_000)}\r\n`.repeat(50) },
}

for (const [what, { again, first }] of Object.entries(endless)) {
  t.test(`${what} without end is a failure, and takes no memory`, async (t) => {
    const url = await startTcpTarget(t, (socket) => pour(socket, Buffer.from(first), Buffer.from(again)))
    const running = await startListener(t, { responseBytesMax: 64 * 1024 })
    const beforeBytes = process.memoryUsage().rss
    const entry = await runOne(running, { target: url, timeout: '1s', retry: { maxAttempts: 1 } })
    t.ok(['timeout', 'invalid-response'].includes(entry.failure?.code ?? ''), entry.failure?.code ?? 'none')
    const grownMiB = (process.memoryUsage().rss - beforeBytes) / MIB
    t.ok(grownMiB < 256, `${grownMiB.toFixed()} MiB more`)
  })
}

/** Sends as fast as it is read. */
function pour(socket: Socket, first: Buffer, again: Buffer): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(again));
  }
  socket.write(first)
  socket.on('drain', more)
  more()
}
