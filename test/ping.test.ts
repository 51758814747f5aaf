import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Answered, Client } from './harness/client.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { type Script, TargetServer } from './harness/target-server.js'
import { temporaryDirectory } from './harness/temporary-directory.js'

/** How long to watch that nothing happens. A cycle without a linger looks for more for a moment, and is over by then. */
const QUIET_MS = 200
const SLOW_MS = 600

/** What a ping answers, and `posthaste cycle` prints. */
interface Report {
  readonly drained: boolean
  readonly cycle: number
  readonly trigger: string
  readonly running: boolean
  readonly pulled: number
  readonly called: number
  readonly deferred: number
  readonly partitions: readonly { readonly committed: number; readonly end: number; readonly member: string }[]
}

t.test('only a ping makes calls', async (t) => {
  const { accept, ping, posthaste, target } = await setUp(t)
  await accept()
  await sleep(QUIET_MS)
  t.equal(target.arrivals.length, 0, 'nothing is called before a ping')
  const answered = await ping()
  t.equal(answered.status, 200)
  t.equal(answered.headers['cache-control'], 'no-store')
  t.match(reportOf(answered), { drained: true, cycle: 1, trigger: 'ping', pulled: 1, called: 1 })
  t.equal(target.arrivals.length, 1, 'called by the time of the answer')
  await sleep(QUIET_MS)
  await accept()
  await sleep(QUIET_MS)
  t.equal(target.arrivals.length, 1, 'one ping triggers one cycle')
  t.match(reportOf(await ping()), { cycle: 2, called: 1 })
  await posthaste.stop()
})

t.test('any health check can ping', async (t) => {
  const { accept, posthaste, target } = await setUp(t)
  const headers = { accept: '*/*', 'user-agent': 'kube-probe/1.30', 'x-forwarded-for': '192.0.2.1' }
  const pings: Record<string, RequestInit> = {
    'GET with headers': { headers },
    'HEAD with headers': { method: 'HEAD', headers },
    'POST with headers and no body': { method: 'POST', headers },
    'POST with an empty body of an odd type': {
      method: 'POST',
      body: '',
      headers: { 'content-type': 'x-odd/ping; a="b' },
    },
    'POST with an empty body that calls itself JSON': {
      method: 'POST',
      body: '',
      headers: { 'content-type': 'application/json' },
    },
    'POST with a word of an odd type': { method: 'POST', body: 'ping', headers: { 'content-type': 'x-odd/ping' } },
  }
  let called = 0
  for (const [name, init] of Object.entries(pings)) {
    await accept()
    const response = await fetch(`${posthaste.url}/cycle`, init)
    const text = await response.text()
    called += 1
    t.equal(response.status, 200, name)
    t.equal(target.arrivals.length, called, 'called by the time of the answer')
    if (init.method === 'HEAD') t.equal(text, '')
    else t.match(JSON.parse(text), { drained: true, trigger: 'ping' })
  }
  for (const method of ['GET', 'HEAD', 'POST']) {
    await accept()
    called += 1
    t.match(await barePing(posthaste.url, method), /^HTTP\/1.1 200 /, `${method} without any header but Host`)
    t.equal(target.arrivals.length, called)
  }
  for (const method of ['PUT', 'DELETE']) {
    const response = await fetch(`${posthaste.url}/cycle`, { method })
    t.equal(response.status, 405, `${method} is no ping`)
    t.equal(response.headers.get('allow'), 'GET, HEAD, POST')
  }
  await posthaste.stop()
})

t.test('ten pings at once run one cycle', async (t) => {
  const { accept, ping, posthaste, target } = await setUp(t, () => ({ delayMs: SLOW_MS }))
  for (let count = 0; count < 5; count += 1) await accept()
  const answers = await Promise.all(Array.from({ length: 10 }, () => ping('10s')))
  t.strictSame(
    answers.map(({ status }) => status),
    Array(10).fill(200),
  )
  for (const answer of answers)
    t.match(reportOf(answer), { drained: true, cycle: 1, pulled: 5, called: 5, succeeded: 5 })
  t.equal(target.arrivals.length, 5)
  await posthaste.stop()
})

t.test('a ping waits as long as it is told', async (t) => {
  const { accept, ping, posthaste, target } = await setUp(t, () => ({ delayMs: SLOW_MS }))
  await accept()
  const startedMs = performance.now()
  for (const wait of ['0ms', '50ms', 'PT0.1S']) {
    const answer = await ping(wait)
    t.equal(answer.status, 202, `wait=${wait}`)
    t.match(reportOf(answer), { drained: false, cycle: 1, running: true, called: 0 })
  }
  const waitedMs = performance.now() - startedMs
  t.ok(waitedMs >= 150 - 2, `waited ${waitedMs} ms`)
  t.equal(target.waiting, 1, 'the call still runs')
  const answer = await ping('10s')
  t.equal(answer.status, 200)
  t.match(reportOf(answer), { drained: true, cycle: 1, called: 1 })
  t.ok(performance.now() - startedMs >= SLOW_MS - 2, 'it waited for the call')

  await sleep(QUIET_MS)
  for (const wait of ['soon', '', '-1s', '1', '61s', '1s&wait=2s']) {
    const refused = await ping(wait)
    t.equal(refused.status, 400, `wait=${wait}`)
    t.match(refused.headers['content-type'], /^application\/problem\+json/)
    t.match(refused.json, { type: 'urn:posthaste:error:invalid-query', code: 'invalid-query', status: 400 })
  }
  t.match(reportOf(await ping()), { cycle: 2 }, 'what was refused triggered nothing')
  await posthaste.stop()
})

t.test('what came due meanwhile is called at the next ping', async (t) => {
  const { accept, ping, posthaste, target } = await setUp(t)
  // Far enough away that the first ping comes before, on a slow machine too.
  await accept({ delay: '2s' })
  await accept({ delay: '1h' })
  t.match(reportOf(await ping()), { drained: true, deferred: 2, called: 0 })
  await sleep(QUIET_MS)
  await accept({ delay: '100ms' })
  await sleep(2_000)
  t.equal(target.arrivals.length, 0, 'nobody triggered')
  t.match(reportOf(await ping()), { drained: true, cycle: 2, called: 2 })
  t.equal(target.arrivals.length, 2)
  await posthaste.stop()
})

t.test('posthaste cycle drains a stopped installation', async (t) => {
  const { accept, dataDir, posthaste, target } = await setUp(t, undefined, 'accepter')
  for (let count = 0; count < 20; count += 1) await accept()
  await accept({ delay: '1h' })
  t.equal((await fetch(`${posthaste.url}/cycle`)).status, 404, 'an accepter has no listener to ping')
  await posthaste.stop()
  const { code, report } = await runCycle(dataDir)
  t.equal(code, 0)
  t.match(report, { drained: true, cycle: 1, trigger: 'command', pulled: 21, called: 20, succeeded: 20, deferred: 1 })
  t.equal(report.partitions[0]?.committed, 21)
  t.equal(target.arrivals.length, 20)
  const again = await runCycle(dataDir)
  t.equal(again.code, 0)
  t.match(again.report, { drained: true, pulled: 0, called: 0 }, 'nothing is left')
})

t.test('posthaste cycle beside a running accepter drains', async (t) => {
  const { accept, dataDir, posthaste, target } = await setUp(t, undefined, 'accepter')
  await accept()
  t.match(await runCycle(dataDir), { code: 0, report: { trigger: 'command', called: 1 } })
  await accept()
  t.match(await runCycle(dataDir), { code: 0, report: { trigger: 'command', called: 1 } })
  t.equal(target.arrivals.length, 2)
  await posthaste.stop()
})

t.test('posthaste cycle beside a running listener pings it', async (t) => {
  const { accept, dataDir, ping, posthaste, target } = await setUp(t)
  // A listener that was never triggered owns nothing yet.
  await ping()
  await sleep(QUIET_MS)
  await accept()
  const { code, report } = await runCycle(dataDir)
  t.equal(code, 0)
  t.match(report, { drained: true, cycle: 2, trigger: 'ping', called: 1 })
  t.equal(report.partitions[0]?.member, posthaste.url)
  t.equal(target.arrivals.length, 1)
  await sleep(QUIET_MS)
  t.match(reportOf(await ping()), { cycle: 3 }, 'it was the cycle of the listener')
  await posthaste.stop()
})

async function setUp(t: Test, script?: Script, role: 'start' | 'accepter' = 'start') {
  const dataDir = temporaryDirectory(t)
  const target = await TargetServer.start(script)
  t.after(() => target.stop())
  const client = new Client()
  t.after(() => client.close())
  const posthaste = await PosthasteProcess.start({ role, dataDir, settings: { schedule: 'off', linger: '0ms' } })
  return {
    dataDir,
    posthaste,
    target,
    accept: (more: { delay?: string } = {}) => client.accept(posthaste.url, { target: `${target.url}/`, ...more }),
    ping: (wait?: string) =>
      client.request(`${posthaste.url}/cycle${wait === undefined ? '' : `?wait=${wait}`}`, 'POST'),
  }
}

/** Runs `posthaste cycle` to its end. */
async function runCycle(dataDir: string): Promise<{ code: number | null; report: Report }> {
  const cycle = new PosthasteProcess({ role: 'cycle', dataDir })
  const { code } = await cycle.exited
  const printed = cycle.lines.map((line) => line.text ?? JSON.stringify(line)).join('\n')
  return { code, report: JSON.parse(printed) as Report }
}

/** Sends what HTTP/1.1 needs and nothing more, and returns the answer as it came. */
async function barePing(url: string, method: string): Promise<string> {
  const { host, hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(`${method} /cycle HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return chunk.toString()
}

const reportOf = ({ json }: Answered): Report => json as Report
