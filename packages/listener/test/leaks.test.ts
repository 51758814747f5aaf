import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { InstructionInput } from '@posthaste/core'
import t, { type Test } from 'tap'
import { CERTIFICATE, KEY } from './certificate.js'
import { startListener, submit, until } from './setting.js'

const MIB = 1024 * 1024
const CHUNK = 5_000
/** What the first so many leave behind is there once: connections, compiled code, a heap that has found its size. */
const WARM_UP = 20_000
const CALLS = 100_000
const LATE_MS = 60
const TIMEOUT = '20ms'
const HEAP_MIB_MAX = 16
const MEMORY_MIB_MAX = 64
const CONCURRENCY = 512
/** Of connections of as many calls as run at once both ends are here. */
const SOCKETS_MAX = 2 * CONCURRENCY
const DESCRIPTORS = '/proc/self/fd'

/** Targets that fail in one way, and how many of a hundred calls they get. */
interface Failing {
  readonly urls: readonly string[]
  readonly share: number
  readonly results: readonly string[]
  readonly timeout?: string
}

t.setTimeout(280_000)

t.test('100,000 calls that fail leave neither sockets nor memory behind, and each its own code', async (t) => {
  const all = await startFailing(t)
  const hundred = all.flatMap((failing) => Array<Failing>(failing.share).fill(failing))
  /** Each kind calls all its targets in turn. */
  const instructionOf = (number: number): InstructionInput => {
    const [round, place] = [Math.floor(number / 100), number % 100]
    const { timeout = '60s', urls } = hundred[place] as Failing
    return { target: urls[(round + place) % urls.length] as string, timeout }
  }
  const counts = new Map<string, number>()
  let called = 0
  const { listener, stream } = await startListener(t, {
    breakerFailures: 0,
    concurrency: CONCURRENCY,
    lingerMs: 600_000,
    onAttempt: ({ result }) => {
      called += 1
      counts.set(result, (counts.get(result) ?? 0) + 1)
    },
  })
  await listener.ping('ping', 0)
  const socketsBefore = sockets()
  let submitted = 0
  const callAll = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += CHUNK) {
      const numbers = Array.from({ length: CHUNK }, (_, at) => submitted + at)
      await submit(stream, numbers.map(instructionOf))
      submitted += CHUNK
      // What is moved aside comes later: meanwhile there is more to do.
      await until(() => called > submitted - CHUNK, 120_000)
    }
    await until(() => called === submitted, 120_000)
  }
  await callAll(WARM_UP)
  const before = await memory()
  await callAll(CALLS - WARM_UP)
  const after = await memory()

  for (const { results, share } of all) {
    const count = results.reduce((sum, result) => sum + (counts.get(result) ?? 0), 0)
    t.equal(count, (share * CALLS) / 100, results.join(' or '))
  }
  const socketsAfter = sockets() - socketsBefore
  t.comment(JSON.stringify({ before, after, sockets: socketsAfter }))
  t.ok(socketsAfter <= SOCKETS_MAX, 'connections that broke are closed while others are used')
  t.ok(after.heapMiB - before.heapMiB < HEAP_MIB_MAX, 'the heap does not grow')
  t.ok(after.anonymousMiB - before.anonymousMiB < MEMORY_MIB_MAX, 'nor does what lies outside of it')
  t.equal((await listener.report()).lost, 0)
  await listener.stop(0)
  await until(() => sockets() === socketsBefore, 10_000)
  t.pass('no socket is left')
})

/** Of those that give no answer there are many: each gets one call at a time, and these are to end with the others. */
async function startFailing(t: Test): Promise<Failing[]> {
  const several = <T>(count: number, start: () => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, start))
  const late = await several(20, () => startHttp(t, (_, response) => void setTimeout(() => response.end(), LATE_MS)))
  let calls = 0
  const flapping = await startHttp(t, (_, response) => {
    calls += 1
    response.writeHead(calls % 20 < 10 ? 200 : 503).end()
  })
  const busy = await startHttp(t, ({ url }, response) => {
    const date = new Date(Date.now() + 60_000).toUTCString()
    response.writeHead(429, { 'retry-after': url === '/date' ? date : '60' }).end('later')
  })
  // What has failed in a name server's absence would have to wait for it: no label may have 64 characters.
  const names = Array.from({ length: 2 }, (_, at) => `http://${'a'.repeat(64)}.${at}.invalid/`)
  return [
    { share: 5, urls: late, results: ['timeout'], timeout: TIMEOUT },
    { share: 35, urls: [flapping], results: ['2xx', '5xx'] },
    { share: 42, urls: [busy, `${busy}date`], results: ['4xx'] },
    { share: 15, urls: await several(30, () => startResetting(t)), results: ['connection-closed'] },
    { share: 1, urls: await several(20, () => startUntrusted(t)), results: ['tls-failed'] },
    { share: 2, urls: names, results: ['name-not-resolved'] },
  ]
}

/** Remembers nothing of what comes. */
function startHttp(t: Test, answer: RequestListener): Promise<string> {
  const server = createHttpServer((request, response) => {
    request.resume()
    answer(request, response)
  })
  t.teardown(() => server.closeAllConnections())
  return listen(t, server)
}

function startResetting(t: Test): Promise<string> {
  return listen(
    t,
    createServer((socket) => socket.resetAndDestroy()),
  )
}

async function startUntrusted(t: Test): Promise<string> {
  const server = createTlsServer({ key: KEY, cert: CERTIFICATE })
  server.on('tlsClientError', () => {})
  return (await listen(t, server)).replace('http:', 'https:')
}

async function listen(t: Test, server: Server): Promise<string> {
  await once(server.listen({ port: 0, host: '127.0.0.1', backlog: 1_024 }), 'listening')
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** Sockets that are open in this process, of callers and of targets. */
function sockets(): number {
  const isSocket = (name: string): boolean => {
    try {
      return readlinkSync(`${DESCRIPTORS}/${name}`).startsWith('socket:')
    } catch {
      // The one that was open to read the directory.
      return false
    }
  }
  return readdirSync(DESCRIPTORS).filter(isSocket).length
}

async function memory(): Promise<{ heapMiB: number; anonymousMiB: number }> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // What is still being written, or is about to be finalized, is let go of between two collections.
  for (let count = 0; count < 5; count += 1) {
    collect()
    await sleep(100)
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  const anonymous = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return { heapMiB: (heapUsed + arrayBuffers) / MIB, anonymousMiB: Number(anonymous?.[1] ?? 0) / 1024 }
}
