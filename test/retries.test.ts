import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { InvocationDocument } from '@posthaste/core'
import t, { type Test } from 'tap'
import { type Backend, embedded, kafka, nats, testOn } from './harness/backends.js'
import { Client } from './harness/client.js'
import { readExamples } from './harness/doc-examples.js'
import { DocRun } from './harness/doc-run.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { type Answer, type Script, TargetServer } from './harness/target-server.js'

t.setTimeout(280_000)

const later = (seconds: number): Answer => ({ status: 503, headers: { 'retry-after': String(seconds) } })

/** What the target answers to the attempts of an instruction, in their order; 200 to all that come then. */
const ANSWERS: Readonly<Record<string, readonly Answer[]>> = {
  '/wishes': [later(1), { status: 200, headers: { 'posthaste-retry': '100ms' } }],
  '/moved': [later(600)],
  '/old': [later(30), later(59)],
}

/** The headers of what came, by path. */
type Heard = Map<string, NodeJS.Dict<string | string[]>[]>

for (const backend of [embedded, nats, kafka] as const) {
  testOn(t, backend, 'wishes of targets, destinations, and retries that are moved', 120_000, async (t, backend) => {
    const setting = await setUp(t, backend)
    await Promise.all([wishIsDone(t, setting), movedKeepsCounts(t, setting), movedKeepsAge(t, setting)])
  })
}

/** What a target wishes is done, and who is to be told is told. */
async function wishIsDone(t: Test, { ask, heard, submit, target }: Setting): Promise<void> {
  const id = await submit('/wishes', { onSuccess: { url: `${target.url}/told`, format: 'cloudevents' } })
  const shown = await ask(`/invocations/${id}?wait=60s`)
  t.match(shown, { state: 'succeeded', attemptsMade: 3, attemptsAnswered: 3 })
  const [first, second, third] = shown.attempts.map(({ startedAt }) => Date.parse(startedAt))
  t.ok(Number(second) - Number(first) >= 1_000, 'not before Retry-After')
  t.ok(Number(third) - Number(second) >= 100, 'not before it wished')
  t.match(shown.attempts[1], { status: 200, failure: { code: 'asked-again' } })
  t.strictSame(
    heard.get('/wishes')?.map((headers) => headers['posthaste-answered-attempts']),
    ['0', '1', '2'],
  )

  await target.until(({ arrivals }) => arrivals.some(({ path }) => path === '/told'), 20_000)
  const told = target.arrivals.find(({ path }) => path === '/told')
  t.match(JSON.parse(told?.body ?? '{}'), {
    type: 'org.posthaste.invocation.succeeded',
    subject: id,
    data: { requestContext: { requestId: id, approximateInvokeCount: 3 }, requestPayload: { n: 1 } },
  })
  t.strictSame(shown.destination, { id: told?.key })
  t.match(await ask(`/invocations/${told?.key}?wait=60s`), { state: 'succeeded', parent: id })
}

async function movedKeepsCounts(t: Test, { ask, heard, submit }: Setting): Promise<void> {
  const id = await submit('/moved')
  await retrying(ask, id)
  const tooLate = await ask(`/invocations/${id}`, 'PATCH', { delay: '2d' })
  t.match(tooLate, { status: 400, code: 'invalid-time' }, 'a day is the default')
  t.match(await ask(`/invocations/${id}?wait=60s`, 'PATCH', { delay: '0s' }), { id })
  t.match(await ask(`/invocations/${id}?wait=60s`), { state: 'succeeded', attemptsMade: 2, attemptsAnswered: 2 })
  t.equal(heard.get('/moved')?.[1]?.['posthaste-answered-attempts'], '1')
}

async function movedKeepsAge(t: Test, { ask, submit, target }: Setting): Promise<void> {
  const id = await submit('/old', { retry: { maxAge: '60s' } })
  await retrying(ask, id)
  // 59 seconds more than it is old by now are more than it may be.
  await sleep(1_100)
  t.match(await ask(`/invocations/${id}`, 'PATCH', { delay: '2m' }), { status: 400, code: 'invalid-time' })
  await ask(`/invocations/${id}?wait=60s`, 'PATCH', { delay: '0s' })
  t.match(await ask(`/invocations/${id}?wait=60s`), { state: 'expired', attemptsMade: 2 })
  t.equal(target.arrivals.filter(({ path }) => path === '/old').length, 2)
}

t.test('every example of docs/retries.md is true', async (t) => {
  const text = readFileSync(fileURLToPath(new URL('../../docs/retries.md', import.meta.url)), 'utf8')
  const target = await TargetServer.start(({ path }) => {
    const { pathname, searchParams } = new URL(path, 'http://target')
    const status = Number(/^\/status\/(\d{3})$/.exec(pathname)?.[1] ?? 200)
    return { status, headers: Object.fromEntries(searchParams) }
  })
  t.teardown(() => target.stop())
  const posthaste = await PosthasteProcess.start({ role: 'start', settings: embedded.create(t).settings })
  t.teardown(() => posthaste.stop())
  const run = new DocRun(posthaste.url, target.url)
  const examples = readExamples(text)
  t.equal(examples.length, 7)
  for (const example of examples) t.strictSame(await run.faultsOf(example), [], `${example.method} ${example.url}`)

  const [, record = ''] = /^```json\n([\s\S]*?)^```$/m.exec(text) ?? []
  await target.until(({ arrivals }) => arrivals.some(({ path }) => path === '/done'))
  const told = target.arrivals.find(({ path }) => path === '/done')
  t.strictSame(run.faultsOfJson(JSON.parse(record), JSON.parse(told?.body ?? 'null')), [])
})

type Ask = (path: string, method?: string, body?: object) => Promise<InvocationDocument>

/** Resolves once an invocation waits for its next attempt. */
async function retrying(ask: Ask, id: string): Promise<void> {
  while ((await ask(`/invocations/${id}`)).state !== 'retrying') await sleep(20)
}

type Setting = Awaited<ReturnType<typeof setUp>>

async function setUp(t: Test, backend: Backend) {
  const heard: Heard = new Map()
  const script: Script = ({ attempt, path }, { headers }) => {
    heard.set(path, [...(heard.get(path) ?? []), headers])
    return ANSWERS[path]?.[attempt - 1] ?? {}
  }
  const target = await TargetServer.start(script)
  t.teardown(() => target.stop())
  const posthaste = await PosthasteProcess.start({ role: 'start', settings: backend.create(t).settings })
  t.teardown(() => posthaste.stop())
  const client = new Client({ timeoutMs: 80_000 })
  t.teardown(() => client.close())
  const ask: Ask = async (path, method = 'GET', body) => {
    const { json } = await client.request(posthaste.url + path, method, body && JSON.stringify(body))
    return json as InvocationDocument
  }
  const submit = (path: string, more: object = {}): Promise<string> =>
    client.accept(posthaste.url, { target: target.url + path, body: { n: 1 }, ...more })
  return { ask, heard, submit, target }
}
