import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createId, createToken, hashToken } from '@posthaste/core'
import t, { type Test } from 'tap'
import { embedded, kafka, nats, testOn } from './harness/backends.js'
import { type Installation, withStream } from './harness/installation.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'
import { temporaryDirectory } from './harness/temporary-directory.js'

// Whatever comes of an invocation, by whichever way, is of its tenant, and to all others as if it were not there.

t.setTimeout(240_000)

const LOOK_MS = 100
const SHOWN_MS_MAX = 60_000
const TENANTS = ['acme', 'globex', ''] as const
type Tenant = (typeof TENANTS)[number]

for (const backend of [embedded, nats, kafka]) {
  testOn(t, backend, 'what comes of an invocation is of its tenant, and nobody else learns of it', 120_000, (t) =>
    check(t, backend.create(t)),
  )
}

async function check(t: Test, installation: Installation): Promise<void> {
  const target = await TargetServer.start(({ attempt, path }) => ({
    status: path === '/bad' ? 400 : path === '/once' && attempt === 1 ? 500 : 200,
  }))
  t.teardown(() => target.stop())
  const at = (path: string): string => target.url + path
  const as = await startShared(t, installation)
  const own = await sendWithOneKey(t, as, at('/never'))

  const told = { forwardTo: at('/forward'), onSuccess: at('/success'), onFailure: at('/failure') }
  const parents = [
    await as.acme('POST', '/invocations', { target: at('/good'), ...told }),
    await as.acme('POST', '/invocations', { target: at('/once'), retry: { initialDelay: '100ms' }, ...told }),
    await as.acme('POST', '/invocations', { target: at('/bad'), ...told }),
  ].map(({ id }) => id)
  const schedule = await as.acme('POST', '/schedules', { every: '1s', instruction: { target: at('/tick') } })
  const deferred = await as.acme('POST', '/invocations', { target: at('/never'), delay: '1h' })
  await as.acme('DELETE', `/invocations/${deferred.id}`)
  const foreign = [{ id: 'foreign-1', tenant: 'acme', forwardTo: at('/forward') }, { id: 'foreign-2' }]
  await withStream(installation, (stream) =>
    stream.append(
      'calls',
      foreign.map((more) => ({
        ...{ key: more.id, generation: 1, attempt: 1 },
        value: Buffer.from(JSON.stringify({ target: at('/foreign'), ...more })),
      })),
    ),
  )
  // Of each a forward and what tells a destination; of the other producer's a forward; of the schedule two times.
  const wanted = [...parents, ...parents, ...parents, deferred.id, 'foreign-1', 'foreign-1', schedule.id, schedule.id]
  const isWanted = (shown: readonly Shown[]): boolean => {
    const ended = shown.filter(({ state }) => ENDED.has(state))
    return wanted.every((id) => countIn(ended, id) >= countOf(wanted, id))
  }
  const shown = await listed(as.acme, isWanted)
  t.equal(shown.find(({ id }) => id === deferred.id)?.state, 'cancelled')
  t.equal(shown.find(({ id }) => id === parents[2])?.state, 'failed')

  const idsOf = async (tenant: Tenant, isAwaited: (shown: readonly Shown[]) => boolean = () => true) =>
    (await listed(as[tenant], isAwaited)).map(({ id }) => id).sort()
  const ofOperator = await idsOf('', (shown) => shown.some(({ state }) => ENDED.has(state)))
  t.strictSame(ofOperator, [own[''], 'foreign-2'].sort())
  t.strictSame(await idsOf('globex'), [own.globex])
  t.strictSame((await as.globex('GET', '/schedules')).schedules, [])
  t.match(await as.globex('POST', '/redrive', { filter: {} }), { matched: 0 })
  for (const tenant of ['globex', ''] as const)
    await checkUnknown(t, as[tenant], { invocations: [...parents, deferred.id, 'foreign-1'], schedule: schedule.id })
  t.match(await as.acme('POST', '/redrive', { filter: { target: at('/bad') } }), { matched: 1, done: 1 })
  // Two more of its second generation.
  await listed(as.acme, (shown) => countIn(shown, parents[2] ?? '') >= 5)
  t.strictSame(await idsOf('globex'), [own.globex])
  await as.acme('DELETE', `/schedules/${schedule.id}`)
}

/** A process that all of them share. */
async function startShared(t: Test, installation: Installation): Promise<Record<Tenant, Client>> {
  const tokens = TENANTS.map((tenant) => [tenant, createToken()] as const)
  const file = join(temporaryDirectory(t), 'tokens.json')
  writeFileSync(file, JSON.stringify({ tokens: tokens.map(([tenant, token]) => entryOf(tenant, token)) }))
  const settings = { ...installation.settings, tokens: file }
  const posthaste = await PosthasteProcess.start({ role: 'start', settings })
  t.teardown(() => posthaste.stop())
  const clients = tokens.map(([tenant, token]) => [tenant, clientOf(posthaste.url, token)])
  return Object.fromEntries(clients) as Record<Tenant, Client>
}

/** Has each send another instruction with the same Idempotency-Key, and returns their ids. */
async function sendWithOneKey(t: Test, as: Record<Tenant, Client>, target: string): Promise<Record<Tenant, string>> {
  const sent = await Promise.all(
    TENANTS.map(async (tenant, index) => {
      const body = { target, delay: `${index + 1}h` }
      const { id } = await as[tenant]('POST', '/invocations', body, { 'idempotency-key': 'the same of all' })
      return [tenant, id as string] as const
    }),
  )
  t.equal(new Set(sent.map(([, id]) => id)).size, TENANTS.length, 'each has keys of his own')
  return Object.fromEntries(sent) as Record<Tenant, string>
}

/** What may be asked of an invocation, and of a schedule. */
const QUESTIONS = {
  invocations: [
    ['GET', '?wait=10s'],
    ['GET', '/response'],
    ['DELETE', ''],
    ['PATCH', '', { delay: '2h' }],
    ['POST', '/redrive'],
  ],
  schedules: [
    ['GET', ''],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['DELETE', ''],
  ],
} as const

/** Asks for what is another's, and for what nobody has: but for the id the answers are the same. */
async function checkUnknown(t: Test, client: Client, others: { invocations: readonly string[]; schedule: string }) {
  const answerTo = async (path: string, id: string, [method, more, body]: Question): Promise<string> => {
    const answer = client(method, `${path}/${id}${more}`, body).then(JSON.stringify, (error: Error) => error.message)
    return (await answer).replaceAll(id, '<id>')
  }
  const unknown = createId(Date.now())
  for (const [path, ids] of [
    ['/invocations', others.invocations],
    ['/schedules', [others.schedule]],
  ] as const) {
    const questions: readonly Question[] = QUESTIONS[path === '/schedules' ? 'schedules' : 'invocations']
    const answers = (id: string) => Promise.all(questions.map((question) => answerTo(path, id, question)))
    const [ofNobody = [], ...ofOthers] = await Promise.all([unknown, ...ids].map(answers))
    for (const answer of ofNobody) t.match(answer, /: 404 .*"not-found"/)
    for (const each of ofOthers) t.strictSame(each, ofNobody)
  }
}

const ENDED = new Set(['succeeded', 'failed', 'cancelled'])

interface Shown {
  readonly id: string
  readonly state: string
  readonly parent?: string
}

function entryOf(tenant: Tenant, token: string): object {
  return {
    name: `of-${tenant}`,
    sha256: hashToken(token).toString('hex'),
    scopes: ['invoke', 'read', 'control'],
    ...(tenant !== '' && { tenant }),
  }
}

type Question = readonly [method: string, path: string, body?: object]
type Client = ReturnType<typeof clientOf>

/** Asks again where the view is behind, as clients are told to. */
function clientOf(url: string, token: string) {
  // biome-ignore lint/suspicious/noExplicitAny: what it is, each use says
  return async function ask(method: string, path: string, body?: object, headers: object = {}): Promise<any> {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (text.includes('"view-behind"')) return ask(method, path, body, headers)
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text)
  }
}

/** The invocations of a tenant, once they are as awaited. */
async function listed(client: Client, isAwaited: (shown: readonly Shown[]) => boolean) {
  for (const untilMs = performance.now() + SHOWN_MS_MAX; ; await sleep(LOOK_MS)) {
    const { invocations } = (await client('GET', '/invocations?limit=200')) as { invocations: Shown[] }
    if (isAwaited(invocations)) return invocations
    if (performance.now() > untilMs) throw new Error(`They are not shown as awaited: ${JSON.stringify(invocations)}`)
  }
}

/** How many there are of an id, and of what it gave rise to. */
function countIn(shown: readonly Shown[], id: string): number {
  return shown.filter((one) => one.id === id || one.parent === id).length
}

function countOf(ids: readonly string[], id: string): number {
  return ids.filter((one) => one === id).length
}
