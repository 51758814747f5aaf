import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createLogger, loadConfig, type Role, rebuildView, Server, type SettingKey } from '../src/index.js'
import { Rates } from '../src/rates.js'

const log = createLogger({ logLevel: 'silent' })

type Flags = Partial<Record<SettingKey, string>>

interface Shown {
  readonly id: string
  readonly state: string
  readonly attempts: readonly { readonly status: number; readonly listener: string }[]
}

t.test('what became of an invocation is shown, by any accepter of the directory, and after a restart', async (t) => {
  const target = await startTarget(t)
  const dataDir = makeDirectory(t)
  const { server, url } = await start(t, 'all', { dataDir })
  const other = await start(t, 'accepter', { dataDir })
  const id = await accept(url, { target: `${target}/a` })
  t.equal(
    (await fetch(`${other.url}/invocations/${id}`)).status,
    200,
    'whoever asks at once is not told that it is unknown',
  )
  const shown = await show(`${other.url}/invocations/${id}?wait=10s`)
  t.match(shown, { id, state: 'succeeded', attempts: [{ status: 200, listener: url }] })
  t.strictSame(await show(`${url}/invocations/${id}?wait=10s`), shown, 'both show the same')
  await Promise.all([server.stop(), other.server.stop()])

  const again = await start(t, 'accepter', { dataDir })
  t.strictSame(await show(`${again.url}/invocations/${id}`), shown, 'it is kept')
  await again.server.stop()
})

t.test('a view is rebuilt from the logs, also while a process runs', async (t) => {
  const target = await startTarget(t)
  const dataDir = makeDirectory(t)
  const { server, url } = await start(t, 'all', { dataDir })
  const ended = await accept(url, { target: `${target}/a` })
  const waiting = await accept(url, { target: `${target}/b`, delay: '1h', correlationId: 'later' })
  await show(`${url}/invocations/${ended}?wait=10s`)
  await untilState(url, waiting, 'scheduled')
  // It has been put off by then: nothing but the journal still tells of it.
  await untilListed(url, 'state=succeeded', 1)
  const before = await show(`${url}/invocations/${ended}`)

  const signal = new AbortController().signal
  await rebuildView(configOf(dataDir), log, signal)
  await untilListed(url, '', 2)
  const rebuilt = await show(`${url}/invocations/${ended}`)
  t.match(rebuilt, { state: before.state, attempts: before.attempts })
  t.match(await show(`${url}/invocations/${waiting}`), { state: 'scheduled', correlationId: 'later' })
  await server.stop()

  rmSync(join(dataDir, 'view.lmdb'))
  t.match(await rebuildView(configOf(dataDir), log, signal), { shown: 2 }, 'and where there is none')
})

t.test('without a view nothing is shown, and calls are made all the same', async (t) => {
  const target = await startTarget(t)
  const { url } = await start(t, 'all', { view: 'off' })
  const id = await accept(url, { target: `${target}/a` })
  t.equal((await fetch(`${url}/invocations/${id}`)).status, 404)
  t.equal((await fetch(`${url}/stats`)).status, 404)
  await untilMetric(url, `posthaste_outcomes_total{origin="${target}",state="succeeded"} 1`)
})

t.test('metrics tell of accepting, of calls by origin, and of what the view shows', async (t) => {
  const target = await startTarget(t)
  const { url } = await start(t, 'all')
  await accept(url, { target: `${target}/a` })
  await accept(url, { target: `${target}/fail`, retry: { maxAttempts: 1 } })
  await untilMetric(url, 'posthaste_dead_letters 1')
  const response = await fetch(`${url}/metrics`)
  t.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  const lines = (await response.text()).split('\n')
  for (const line of [
    'posthaste_accepted_total 2',
    'posthaste_accept_duration_seconds_count 2',
    `posthaste_attempts_total{origin="${target}",result="2xx"} 1`,
    `posthaste_attempts_total{origin="${target}",result="5xx"} 1`,
    `posthaste_outcomes_total{origin="${target}",state="succeeded"} 1`,
    `posthaste_outcomes_total{origin="${target}",state="failed"} 1`,
    'posthaste_invocations{state="succeeded"} 1',
    'posthaste_invocations{state="failed"} 1',
    'posthaste_oldest_due_seconds 0',
  ]) {
    t.ok(lines.includes(line), line)
  }
  const names = lines.flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? [])
  t.equal(new Set(names).size, names.length, 'no name is told twice')
})

t.test('rates are those of the totals, and begin anew with a view that was emptied', async (t) => {
  const totals = { accepted: 100, ended: 50 }
  const rates = new Rates(() => totals)
  t.teardown(() => rates.stop())
  Object.assign(totals, { accepted: 160, ended: 80 })
  // Less than a second counts as one.
  t.strictSame(rates.now(), { acceptedPerSecond: 60, endedPerSecond: 30 })
  Object.assign(totals, { accepted: 3, ended: 2 })
  t.strictSame(rates.now(), { acceptedPerSecond: 0, endedPerSecond: 0 })
})

async function start(t: Test, role: Role, flags: Flags = {}): Promise<{ server: Server; url: string }> {
  const server = new Server(configOf(flags.dataDir ?? makeDirectory(t), flags), role, log)
  t.teardown(() => server.stop())
  return { server, url: await server.start() }
}

function configOf(dataDir: string, flags: Flags = {}) {
  return loadConfig({
    environment: {},
    flags: {
      port: '0',
      diskReserve: '0',
      stopGrace: '1s',
      logLevel: 'silent',
      allowAddresses: '127.0.0.0/8',
      ...flags,
      dataDir,
    },
  })
}

async function accept(url: string, instruction: object): Promise<string> {
  const response = await fetch(`${url}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(instruction),
  })
  if (response.status !== 202) throw new Error(`not accepted: ${await response.text()}`)
  return ((await response.json()) as { id: string }).id
}

async function show(url: string): Promise<Shown> {
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(`not shown: ${await response.text()}`)
  return (await response.json()) as Shown
}

async function untilState(url: string, id: string, state: string): Promise<void> {
  await until(async () => (await show(`${url}/invocations/${id}`)).state === state)
}

async function untilListed(url: string, query: string, count: number): Promise<void> {
  await until(async () => {
    const { invocations } = (await (await fetch(`${url}/invocations?${query}`)).json()) as { invocations: unknown[] }
    return invocations.length === count
  })
}

async function untilMetric(url: string, line: string): Promise<void> {
  await until(async () => (await (await fetch(`${url}/metrics`)).text()).split('\n').includes(line))
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const untilMs = performance.now() + 15_000; performance.now() < untilMs; await sleep(20)) {
    if (await isSo()) return
  }
  throw new Error('it did not come to pass')
}

async function startTarget(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/fail' ? 500 : 200
    response.end('answered')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function makeDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
