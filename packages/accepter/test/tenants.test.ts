import { createId, decodeCall } from '@posthaste/core'
import t, { type Test } from 'tap'
import type { Operation } from '../src/operation.js'
import { OPERATIONS } from '../src/operations.js'
import type { Answered, OperationName } from './api-client.js'
import { Listener } from './installation.js'
import { readCalls, TARGET } from './setting.js'
import { type Ask, HOURLY, LATER, openShared, type Shared } from './shared.js'

const NAMES = Object.keys(OPERATIONS) as OperationName[]

/** Operations that name nothing by an id, and what keeps tenants apart there: each must have its line. */
const OTHERS: Readonly<Partial<Record<OperationName, string>>> = {
  createInvocation: 'its Idempotency-Key',
  createInvocations: 'it names nothing',
  callByQuery: 'its Idempotency-Key',
  callByPath: 'its Idempotency-Key',
  createSchedule: 'its Idempotency-Key',
  listInvocations: 'what is listed',
  listSchedules: 'what is listed',
  redriveInvocations: 'what is listed',
  cancelInvocations: 'what is listed',
  getStats: 'its scope',
  getMetrics: 'its scope',
  ping: 'its scope',
  pingByPost: 'its scope',
  getLiveness: 'it tells nothing',
  getReadiness: 'it tells nothing',
  getOpenApi: 'it tells nothing',
}

/** One of each: waiting, succeeded, dead, a schedule. All of acme. */
async function fill({ acme, stream, view }: Shared): Promise<string[]> {
  const listener = new Listener(stream)
  const idOf = async (name: OperationName, body: object): Promise<string> => (await acme(name, { body })).json.id
  const waiting = await idOf('createInvocation', LATER)
  const done = await idOf('createInvocation', { target: TARGET })
  const dead = await idOf('createInvocation', { target: TARGET })
  const schedule = await idOf('createSchedule', HOURLY)
  await listener.succeed(await listener.callOf(view, done))
  await listener.fail(await listener.callOf(view, dead))
  await view.until(
    () => (view.response(done) && view.deadLetter(dead) && view.schedule(schedule) ? true : undefined),
    10_000,
  )
  return [waiting, done, dead, schedule]
}

t.test('each operation keeps tenants apart', (t) => {
  const byId = NAMES.filter((name) => isById(name))
  t.strictSame([...byId, ...Object.keys(OTHERS)].sort(), NAMES.toSorted(), 'there is a test for each')
  const byScope = NAMES.filter((name) => OTHERS[name] === 'its scope')
  for (const name of byScope) t.equal((OPERATIONS[name] as unknown as Operation).scope, 'operate', name)
  t.end()
})

t.test('what is of another tenant is answered as what is not there', async (t) => {
  const shared = await openShared(t)
  const ids = await fill(shared)
  for (const who of ['globex', 'operator'] as const) {
    const asked = NAMES.filter(isById).flatMap((name) => ids.map((id) => compare(t, shared[who], name, id)))
    await Promise.all(asked)
  }
  t.strictSame(
    ids.map((id) => shared.view.directive(id)),
    ids.map(() => undefined),
    'nothing was asked of them',
  )
  t.equal((await readCalls(shared.stream)).length, ids.length, 'nor sent again')
  for (const [index, id] of ids.entries())
    t.equal((await shared.acme(index === 3 ? 'getSchedule' : 'getInvocation', { id })).status, 200, 'its own it sees')
})

/** Asks for what another has, and for what nobody has: each answer must be the other but for the id. */
async function compare(t: Test, who: Ask, name: OperationName, id: string): Promise<void> {
  const { query } = OPERATIONS[name] as unknown as Operation
  const asking = {
    ...(name === 'moveInvocation' && { body: { delay: '1m' } }),
    ...('wait' in query && { query: { wait: '30s' } }),
  }
  const unknown = createId(Date.now())
  const [others, nobodys] = await Promise.all([id, unknown].map((id) => settled(() => who(name, { ...asking, id }))))
  if (!others || !nobodys) return
  const told = [others, nobodys].map(({ headers, status, text }) => {
    const shown = [...headers].filter(([header]) => header !== 'date')
    return JSON.stringify([status, shown, text]).replaceAll(id, '<id>').replaceAll(unknown, '<id>')
  })
  // One assertion for each would be very many.
  if (others.status !== 404 || told[0] !== told[1]) t.fail(`${name} of ${id}`, { told })
}

/** Where much else is done the view may be late. */
async function settled(one: () => Promise<Answered>): Promise<Answered> {
  for (;;) {
    const answered = await one()
    if (answered.json?.code !== 'view-behind') return answered
  }
}

t.test('nor is there more waiting for it', async (t) => {
  const { acme, globex, stream, view } = await openShared(t)
  const old = createId(Date.now() - 86_400_000)
  const record = Buffer.from(JSON.stringify({ id: old, target: TARGET, tenant: 'acme' }))
  await stream.append('calls', [{ key: old, generation: 1, attempt: 1, value: record }])
  await view.until(() => view.get(old), 10_000)
  t.equal((await acme('getInvocation', { id: old })).status, 200)
  view.lagMs = 60_000
  for (const id of [old, createId(Date.now() - 86_400_000)])
    t.equal((await globex('getInvocation', { id })).json.code, 'not-found', 'old ones are known not to be there')
  const { id: fresh } = (await acme('createInvocation', { body: LATER })).json
  await view.until(() => view.get(fresh), 10_000)
  const answers = await Promise.all([fresh, createId(Date.now())].map((id) => globex('getInvocation', { id })))
  t.strictSame(
    answers.map(({ json }) => json.code),
    ['view-behind', 'view-behind'],
    'others may yet come',
  )
})

t.test('lists, and what is done to all that is listed, are of one tenant', async (t) => {
  const shared = await openShared(t)
  const { acme, globex, operator, view } = shared
  const [waiting = '', , dead = '', schedule = ''] = await fill(shared)
  const own = (await globex('createInvocation', { body: LATER })).json.id
  await view.until(() => view.get(own), 10_000)
  const filters = [{}, { correlationId: 'order-42' }, { target: TARGET }, { state: 'scheduled' }]
  for (const query of filters) {
    const { headers, json } = await globex('listInvocations', { query })
    t.strictSame(
      json.invocations.map(({ id }: { id: string }) => id),
      [own],
      JSON.stringify(query),
    )
    t.notOk(json.next ?? headers.get('link'))
  }
  t.strictSame((await globex('listInvocations', { query: { parent: schedule } })).json, { invocations: [] })
  for (const who of [globex, operator]) t.strictSame((await who('listSchedules')).json, { schedules: [] })
  t.strictSame((await operator('listInvocations')).json, { invocations: [] })
  const { next } = (await acme('listInvocations', { query: { limit: '1' } })).json
  const pages = await Promise.all([
    operator('listInvocations', { query: { cursor: next } }),
    operator('listSchedules', { query: { cursor: Buffer.from(next, 'base64url').subarray(6).toString('base64url') } }),
  ])
  t.strictSame(
    pages.map(({ json }) => json),
    [{ invocations: [] }, { schedules: [] }],
    'a cursor of another leads nowhere',
  )

  for (const isDryRun of [true, false]) {
    const redriven = await globex('redriveInvocations', { body: { filter: {}, dryRun: isDryRun } })
    t.strictSame(redriven.json, { matched: 0, done: 0, skipped: 0 })
    const filter = { target: TARGET }
    const cancelled = await operator('cancelInvocations', { body: { filter, dryRun: isDryRun } })
    t.strictSame(cancelled.json, { matched: 0, done: 0, skipped: 0 })
  }
  t.strictSame([view.directive(waiting), view.deadLetter(dead)?.generation], [undefined, 1])
  const asked = await globex('cancelInvocations', { body: { filter: { target: TARGET } } })
  t.match(asked.json, { matched: 1, done: 1 })
  await view.until(() => view.directive(own), 10_000)
  t.equal(view.directive(waiting), undefined)
  t.match((await acme('redriveInvocations', { body: { filter: {} } })).json, { matched: 1, done: 1 })
  const redriven = (await readCalls(shared.stream)).map((record) => decodeCall(record.value, record).call)
  t.match(
    redriven.find(({ generation }) => generation === 2),
    { id: dead, tenant: 'acme' },
  )
})

t.test('an Idempotency-Key says nothing of what another sent with it', async (t) => {
  const { acme, globex, operator, stream } = await openShared(t)
  for (const name of ['createInvocation', 'createSchedule'] as const) {
    const headers = { 'idempotency-key': `the same of ${name}` }
    const bodies = [1, 2, 3].map((hours) =>
      name === 'createSchedule' ? { ...HOURLY, every: `${hours}h` } : { ...LATER, delay: `${hours}h` },
    )
    const all = [acme, globex, operator].map((who, index) => () => who(name, { headers, body: bodies[index] }))
    const first = await Promise.all(all.map((one) => one()))
    t.equal(new Set(first.map(({ json }) => json.id)).size, 3, name)
    for (const { headers, status } of first)
      t.strictSame([status < 300, headers.has('idempotency-replayed')], [true, false], name)
    const again = await Promise.all(all.map((one) => one()))
    t.strictSame(
      again.map(({ json }) => json.id),
      first.map(({ json }) => json.id),
      'each gets his own again',
    )
    t.equal((await globex(name, { headers, body: bodies[0] })).json.code, 'key-reused', 'of his own he is told')
  }
  t.equal((await readCalls(stream)).length, 6)
})

t.test('what other producers wrote is of whom they name, or of the operator', async (t) => {
  const { acme, globex, operator, stream, view } = await openShared(t)
  const records = [{ id: 'a', tenant: 'acme' }, { id: 'b' }, { id: 'c', tenant: 'globex' }]
  await stream.append(
    'calls',
    records.map((more) => ({
      ...{ key: more.id, generation: 1, attempt: 1 },
      value: Buffer.from(JSON.stringify({ target: TARGET, delay: '1h', ...more })),
    })),
  )
  await view.until(() => (records.every(({ id }) => view.get(id)) ? true : undefined), 10_000)
  const listed = await Promise.all([acme, operator, globex].map((who) => who('listInvocations')))
  t.strictSame(
    listed.map(({ json }) => json.invocations.map(({ id }: { id: string }) => id)),
    [['a'], ['b'], ['c']],
  )
  await acme('cancelInvocation', { id: 'a', query: { wait: '0s' } })
  const directive = await view.until(() => view.directive('a'), 10_000)
  const { call } = decodeCall(directive?.record ?? Buffer.of(), {
    log: 'calls',
    partition: 0,
    offset: 0,
    appendedAtMs: 0,
  })
  t.strictSame([call.tenant, directive?.tenant], ['acme', 'acme'], 'who cancels it keeps it his')
})

function isById(name: OperationName): boolean {
  return (OPERATIONS[name] as unknown as Operation).path.includes('{id}')
}
