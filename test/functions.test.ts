import type { InstructionInput } from '@posthaste/core'
import t, { type Test } from 'tap'
import { type Backend, embedded, kafka, nats, testOn } from './harness/backends.js'
import { Client } from './harness/client.js'
import { Control, type Shown } from './harness/control.js'
import { Fleet } from './harness/fleet.js'
import { CHANGED, FunctionsFile, UNREADABLE } from './harness/functions-file.js'
import { closedGate } from './harness/gate.js'
import type { PosthasteProcess, Role } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'
import { untilShown } from './harness/until-shown.js'

// Functions are configured in a file that changes while calls of them run and wait.

const TEST_MS_MAX = 180_000
const END_MS_MAX = 60_000
const SECRET = 'hunter2hunter2'
/** Often, so that none waits long for what has changed, and for longer than a change takes. */
const RETRY = { maxAttempts: 100, initialDelay: '1s', maxDelay: '1s', jitter: 'none' } as const

interface Setting {
  readonly control: Control
  readonly client: Client
  readonly processes: readonly PosthasteProcess[]
  readonly file: FunctionsFile
  accept(instruction: InstructionInput): Promise<string>
  ended(id: string): Promise<Shown>
}

/** Processes with one file of functions. They stop when the test is over. */
async function startSetting(t: Test, backend: Backend, roles: readonly Role[], text: string): Promise<Setting> {
  const file = new FunctionsFile(t, text)
  const client = new Client({ timeoutMs: 60_000 })
  const fleet = new Fleet(backend.create(t), { functions: file.path, breakerFailures: '0' })
  t.teardown(async () => {
    client.close()
    await fleet.stop()
  })
  await fleet.start(roles)
  const processes = roles.map((role) => fleet.process(role))
  const { url } = processes[0] as PosthasteProcess
  const control = new Control(client, url)
  return {
    ...{ control, client, processes, file },
    accept: (instruction) => client.accept(url, instruction),
    ended: (id) => untilShown(control, id, ({ endedAt }) => endedAt !== undefined, END_MS_MAX),
  }
}

async function startTarget(t: Test, ...script: Parameters<typeof TargetServer.start>): Promise<TargetServer> {
  const target = await TargetServer.start(...script)
  t.teardown(() => target.stop())
  return target
}

/** Files of functions. */
const one = (name: string, fields: object): string => JSON.stringify({ functions: { [name]: fields } })

async function changesHold(t: Test, backend: Backend, roles: readonly Role[]): Promise<void> {
  const headers = new Map<string, unknown>()
  const gate = closedGate()
  const old = await startTarget(t, async ({ body }) => {
    if (body !== 'held') return { status: 503 }
    await gate.opened
    return {}
  })
  const fresh = await startTarget(t, ({ body }, request) => {
    headers.set(body, request.headers['x-key'])
    return {}
  })
  const limited = { retry: RETRY, limits: { concurrency: 2 } }
  const { accept, ended, file, processes } = await startSetting(
    t,
    backend,
    roles,
    one('work', { ...limited, url: `${old.url}/old?a=1`, headers: { 'X-Key': `${SECRET} old` } }),
  )
  const held = await accept({ function: 'work', path: '/path?b=2', body: 'held' })
  const retried = await accept({ function: 'work', path: '/path?b=2', body: 'retried' })
  await old.until(() => old.of(retried).length > 1 && old.of(held).length === 1, END_MS_MAX)
  t.equal(old.of(retried)[0]?.path, '/old/path?a=1&b=2')

  await file.change(
    one('work', { ...limited, url: `${fresh.url}/new/`, headers: { 'X-Key': `${SECRET} new` } }),
    processes,
  )
  t.match(await ended(retried), { state: 'succeeded' }, 'what waits is called where the function is now')
  t.match(fresh.of(retried), [{ path: '/new/path?b=2', method: 'POST' }])
  t.equal(headers.get('retried'), `${SECRET} new`)
  t.equal(old.of(held).length, 1)
  t.equal(old.waiting, 1, 'what runs goes on where it runs')
  gate.open()
  t.match(await ended(held), { state: 'succeeded', attemptsMade: 1 })
  t.strictSame(fresh.of(held), [])
  const shown = [processes.map(({ lines }) => lines), await ended(held), await ended(retried)]
  t.notMatch(JSON.stringify(shown), SECRET)
}

t.test('a file that is bad changes nothing, and it is said why', { timeout: TEST_MS_MAX }, async (t) => {
  const target = await startTarget(t)
  const good = one('work', { url: target.url })
  const { accept, client, control, ended, file, processes } = await startSetting(t, embedded, ['start'], good)
  const measured = async (name: string): Promise<string | undefined> => {
    const { text } = await client.request(`${control.url}/metrics`)
    return new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]
  }
  const bad = `functions:\n  work: { url: ${target.url} }\n  more: { url: "http://u:${SECRET}@a/", limts: 1 }\n`
  const [said] = await file.change(bad, processes, UNREADABLE)
  t.match(said, {
    level: 'error',
    path: file.path,
    reason: /\nline 3, \/functions\/more\/limts: There is no such field\./,
  })
  const [bomb] = await file.change(`functions: *${SECRET}`, processes, UNREADABLE)
  t.match(bomb, { reason: /aliases/ })
  t.equal(await measured('posthaste_functions_stale'), '1')
  t.equal(await measured('posthaste_functions'), '1')
  t.match(await ended(await accept({ function: 'work' })), { state: 'succeeded' })
  t.equal((await control.accept({ function: 'more' })).status, 404)

  await file.change(bad.replace(', limts: 1', '').replace(`u:${SECRET}@`, ''), processes)
  t.equal(await measured('posthaste_functions_stale'), '0')
  t.equal(await measured('posthaste_functions'), '2')
  t.equal((await control.accept({ function: 'more', delay: '1h' })).status, 202)
  const { lines } = processes[0] as PosthasteProcess
  t.equal(lines.filter(({ msg }) => msg === CHANGED).length, 1, 'of two threads one says it')
  t.equal(lines.filter(({ msg }) => msg === UNREADABLE).length, 2)
  t.notMatch(JSON.stringify(lines), SECRET)
})

async function vanishes(t: Test, backend: Backend, roles: readonly Role[]): Promise<void> {
  const gate = closedGate()
  const target = await startTarget(t, ({ body }) => (body === 'held' ? gate.opened.then(() => ({})) : {}))
  const told = await startTarget(t)
  const text = one('gone', { url: target.url, limits: { concurrency: 1 } })
  const { accept, control, ended, file, processes } = await startSetting(t, backend, roles, text)
  const give = (fields: InstructionInput) => accept({ function: 'gone', retry: RETRY, ...fields })
  const held = await give({ body: 'held' })
  await target.until(() => target.waiting === 1, END_MS_MAX)
  const returning = await give({})
  const giving = await give({ retry: { ...RETRY, maxAttempts: 2 }, onFailure: told.url })

  await file.change('functions: {}', processes)
  const refused = await control.accept({ function: 'gone' })
  t.match([refused.status, refused.json], [404, { code: 'unknown-function' }], 'nothing more is taken for it')
  gate.open()
  t.match(await ended(held), { state: 'succeeded', attemptsMade: 1 }, 'what runs goes on')
  const failure = { code: 'unknown-function' }
  t.match(await ended(giving), { state: 'failed', failure, attempts: [{ failure }, { failure }] })
  await told.until(() => told.arrivals.length === 1, END_MS_MAX)
  t.match(JSON.parse(told.arrivals[0]?.body ?? ''), {
    requestContext: { requestId: giving, functionArn: 'function://gone', condition: 'RetriesExhausted' },
    responseContext: { functionError: 'Unhandled' },
    posthaste: { failure },
  })
  await untilShown(control, returning, ({ attempts }) => attempts.length > 0, END_MS_MAX)

  await file.change(text, processes)
  t.match(await ended(returning), { state: 'succeeded' }, 'what has time waits until it is there again')
  t.strictSame(
    target.arrivals.map(({ id }) => id),
    [held, returning],
  )
}

for (const [backend, roles] of [
  [embedded, ['start']],
  [nats, ['accepter', 'listener']],
  [kafka, ['accepter', 'listener']],
] as const) {
  testOn<Backend>(t, backend, 'a change of a function holds for what waits', TEST_MS_MAX, (t) =>
    changesHold(t, backend, roles),
  )
  testOn<Backend>(t, backend, 'a function that is gone fails calls as their policy says', TEST_MS_MAX, (t) =>
    vanishes(t, backend, roles),
  )
}
