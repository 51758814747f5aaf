import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createLogger, loadConfig, type Role, runCycle, Server, type SettingKey } from '../src/index.js'

const log = createLogger({ logLevel: 'silent' })

type Flags = Partial<Record<SettingKey, string>>

t.test('an accepter accepts, a listener calls, and one process can be both', async (t) => {
  const target = await startTarget(t)
  const paths: Record<Role, Record<string, number>> = {
    all: { '/invocations': 200, '/cycle': 200, '/livez': 200, '/readyz': 200, '/metrics': 200 },
    accepter: { '/invocations': 200, '/cycle': 404, '/livez': 200, '/readyz': 200, '/metrics': 200 },
    listener: { '/invocations': 404, '/cycle': 200, '/livez': 200, '/readyz': 200, '/metrics': 200 },
  }
  for (const role of Object.keys(paths) as Role[]) {
    const { url } = await start(t, role)
    for (const [path, status] of Object.entries(paths[role]))
      t.equal((await fetch(url + path)).status, status, `${role} ${path}`)
    const response = await submit(url, target.url)
    t.equal(response.status, role === 'listener' ? 404 : 202)
  }
  await until(() => target.urls.length === 1)
  await sleep(100)
  t.equal(target.urls.length, 1, 'what only an accepter has is not called')
})

t.test('an accepter and a listener share a directory', async (t) => {
  const target = await startTarget(t)
  const dataDir = makeDirectory(t)
  const accepter = await start(t, 'accepter', { dataDir })
  await submit(accepter.url, `${target.url}/before`)
  await accepter.server.stop()
  const listener = await start(t, 'listener', { dataDir })
  await until(() => target.urls.includes('/before'))
  await listener.server.stop()
})

t.test('a stop ends all there is, twice as well, and without a start', async (t) => {
  const { server, url } = await start(t, 'all')
  const stopped = server.stop()
  t.equal(server.stop(), stopped)
  await stopped
  await t.rejects(once(connect(Number(new URL(url).port), '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
  await new Server(configOf(t), 'all', log).stop()
})

t.test('a stop answers what was accepted and lets its calls end', async (t) => {
  const target = await startTarget(t, 300)
  const dataDir = makeDirectory(t)
  const { server, url } = await start(t, 'all', { dataDir, stopGrace: '5s' })
  const answers = Promise.all(Array.from({ length: 10 }, () => submit(url, target.url)))
  await until(() => target.urls.length > 0)
  t.ok((await answers).every(({ status }) => status === 202))
  await server.stop()
  const called = target.urls.length
  t.ok(called >= 1)
  await sleep(50)
  t.equal(target.urls.length, called, 'nothing is called any more')
  await start(t, 'listener', { dataDir })
  await until(() => target.urls.length === 10)
  await sleep(100)
  t.equal(target.urls.length, 10, 'nothing is called twice')
})

t.test('a start on a port that is taken fails and leaves nothing running', async (t) => {
  const taken = await startTarget(t)
  const config = configOf(t, { port: new URL(taken.url).port })
  const timers = countTimers()
  for (const role of ['all', 'accepter', 'listener'] as const) {
    const server = new Server(config, role, log)
    await t.rejects(server.start(), { code: 'EADDRINUSE' })
    await until(() => countTimers() <= timers)
    await server.stop()
  }
  const { url } = await start(t, 'all', { dataDir: config.dataDir })
  await until(async () => (await fetch(`${url}/readyz`)).status === 200)
})

t.test('a start on a host that there is not fails', async (t) => {
  await t.rejects(new Server(configOf(t, { host: '192.0.2.1', insecure: 'true' }), 'all', log).start(), {
    code: 'EADDRNOTAVAIL',
  })
})

t.test('readiness has its reasons', async (t) => {
  const { server, url } = await start(t, 'all')
  t.strictSame(await readiness(url), { code: 200, status: 'ready', reasons: [] })
  await server.stop()
  const full = await start(t, 'all', { diskReserve: '1TiB' })
  const { code, reasons } = await readiness(full.url)
  t.equal(code, 503)
  t.match(reasons, [/^The disk of the data directory has \d+ bytes left; 1099511627776 are kept in reserve\.$/])
  const refused = await submit(full.url, 'http://127.0.0.1:9000/')
  t.equal(refused.status, 503)
  t.equal(refused.headers.get('retry-after'), '30')
  t.match(await refused.json(), { code: 'stream-full' })
})

t.test('a broker that is away is said, without its password', async (t) => {
  const away = `127.0.0.1:${await closedPort()}`
  const brokers: Record<string, Flags> = {
    nats: { stream: 'nats', natsUrl: `nats://somebody:hunter2@${away}` },
    kafka: {
      stream: 'kafka',
      kafkaBrokers: away,
      kafkaSasl: 'plain',
      kafkaUsername: 'somebody',
      kafkaPassword: 'hunter2',
    },
  }
  for (const [name, flags] of Object.entries(brokers)) {
    const { url } = await start(t, 'all', flags)
    const { code, reasons, ...problem } = await readiness(url)
    t.equal(code, 503, name)
    t.match(problem, { status: 503, type: 'urn:posthaste:error:not-ready', detail: reasons[0] as string })
    t.equal(reasons.length, 1, name)
    t.match(reasons, [/^This process waits for the stream: .*(NATS|Kafka).*REFUSED/])
    t.notMatch(JSON.stringify({ reasons, ...problem }), 'hunter2')
  }
})

t.test('a ping tells where the listener can be reached', async (t) => {
  for (const host of ['127.0.0.1', '0.0.0.0']) {
    const { url } = await start(t, 'listener', { host, insecure: 'true' })
    const { partitions } = (await (await fetch(`${url}/cycle`)).json()) as { partitions: { member: string }[] }
    t.match(partitions, [{ owner: 'this', member: url }])
    t.equal((await fetch(`${partitions[0]?.member}/livez`)).status, 200)
  }
})

t.test('a cycle of nothing is drained', async (t) => {
  const result = await runCycle(configOf(t), log, new AbortController().signal)
  t.match(result, { cycle: 1, drained: true, trigger: 'command', running: false, called: 0 })
})

t.test('a cycle drains what is there, and counts it', async (t) => {
  const target = await startTarget(t, 20)
  const dataDir = makeDirectory(t)
  const accepter = await start(t, 'accepter', { dataDir })
  for (let count = 0; count < 20; count += 1) await submit(accepter.url, target.url)
  await accepter.server.stop()
  const result = await runCycle(configOf(t, { dataDir }), log, new AbortController().signal)
  t.match(result, { cycle: 1, drained: true, running: false, pulled: 20, called: 20, succeeded: 20, lost: 0 })
  t.ok((result as { endedAt?: string }).endedAt)
})

t.test('a cycle that is told to stop says that it has not drained', async (t) => {
  const target = await startTarget(t, 60_000)
  const dataDir = makeDirectory(t)
  const accepter = await start(t, 'accepter', { dataDir })
  await submit(accepter.url, target.url)
  await accepter.server.stop()
  const config = configOf(t, { dataDir, stopGrace: '50ms' })
  const stopping = new AbortController()
  const cycle = runCycle(config, log, stopping.signal)
  await until(() => target.urls.length === 1)
  stopping.abort()
  t.match(await cycle, { drained: false, called: 0 })
  t.match(await runCycle(config, log, stopping.signal), { drained: false, pulled: 0 }, 'or was told before')
})

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}

async function start(t: Test, role: Role, flags: Flags = {}): Promise<{ server: Server; url: string }> {
  const server = new Server(configOf(t, flags), role, log)
  t.teardown(() => server.stop())
  return { server, url: await server.start() }
}

function configOf(t: Test, flags: Flags = {}) {
  const dataDir = flags.dataDir ?? makeDirectory(t)
  const own = { port: '0', diskReserve: '0', stopGrace: '1s', allowAddresses: '127.0.0.0/8' }
  return loadConfig({ environment: {}, flags: { ...own, ...flags, dataDir } })
}

function makeDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

function submit(url: string, target: string): Promise<Response> {
  const body = JSON.stringify({ target })
  return fetch(`${url}/invocations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
}

async function readiness(url: string) {
  const response = await fetch(`${url}/readyz`)
  return { ...((await response.json()) as { status: string | number; reasons: string[] }), code: response.status }
}

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function startTarget(t: Test, afterMs = 0): Promise<{ url: string; urls: string[] }> {
  const urls: string[] = []
  const server = createServer((request, response) => {
    urls.push(request.url as string)
    setTimeout(() => response.end(), afterMs).unref()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, urls }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const startedMs = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedMs > 10_000) throw new Error(`still not so: ${condition}`)
    await sleep(5)
  }
}
