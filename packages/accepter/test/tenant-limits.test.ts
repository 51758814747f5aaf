import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { ask } from './api-client.js'
import { bearer, credentialsOf, holderOf } from './callers.js'
import type { FollowingView } from './following-view.js'
import { Listener } from './installation.js'
import { readCalls, startAccepter } from './setting.js'
import { HOURLY, LATER, openShared, SCOPES } from './shared.js'

t.test('a tenant has no more open than his callers may have', async (t) => {
  const shared = await openShared(t, 4)
  const { acme, globex, stream, view } = shared
  const listener = new Listener(stream)
  // What was sent counts before the view shows it.
  view.held.add('calls')
  const invocations = [LATER, { target: 'nonsense' }, LATER]
  const batch = await acme('createInvocations', { body: { invocations } })
  t.strictSame(
    batch.json.results.map(({ status }: { status: number }) => status),
    [202, 400, 202],
  )
  t.equal((await acme('createInvocation', { body: LATER })).status, 202)
  const rest = await acme('createInvocations', { body: { invocations } })
  t.strictSame(
    rest.json.results.map(({ status }: { status: number }) => status),
    [202, 400, 429],
    'as far as there is room',
  )
  t.equal(rest.json.results[2].problem.code, 'too-many-open')
  for (const _ of ['not shown yet', 'shown']) {
    const full = await acme('createInvocation', { body: LATER })
    t.match(full.json, { status: 429, code: 'too-many-open' })
    t.equal(full.headers.get('retry-after'), '1')
    t.equal((await acme('createSchedule', { body: HOURLY })).status, 429)
    t.equal((await globex('createInvocation', { body: LATER })).status, 202, 'of others there may be more')
    view.release()
    await view.until(() => (view.openOf('acme') === 4 ? true : undefined), 10_000)
    await complete(view)
  }
  const [id = ''] = batch.json.results.map(({ id }: { id: string }) => id)
  await listener.fail(await listener.callOf(view, id))
  await view.until(() => view.deadLetter(id), 10_000)
  t.equal((await acme('createSchedule', { body: HOURLY })).status, 201, 'what has ended makes room')
  t.equal((await acme('redriveInvocation', { id })).json.code, 'too-many-open', 'a schedule is open too')
  t.equal((await acme('redriveInvocations', { body: { filter: {} } })).json.code, 'too-many-open')
  t.strictSame((await readCalls(stream)).filter(({ key }) => key === id).length, 1)
})

t.test('nobody is let in beyond his limit by many at once', async (t) => {
  const { acme, view } = await openShared(t, 5)
  const headers = (index: number) => (index % 2 === 0 ? { 'idempotency-key': `key ${index}` } : {})
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, index) => acme('createInvocation', { body: LATER, headers: headers(index) })),
  )
  t.equal(answers.filter(({ status }) => status === 202).length, 5)
  t.equal(answers.filter(({ status }) => status === 429).length, 25)
  await view.until(() => (view.openOf('acme') === 5 ? true : undefined), 10_000)
})

t.test('where nothing is known of what is open nobody with a limit may send more', async (t) => {
  const { token, holder } = holderOf({ scopes: SCOPES, openMax: 5, tenant: 'acme' })
  const { url } = await startAccepter(t, { credentials: credentialsOf([holder]) })
  const { json } = await ask(url, 'createInvocation', { body: LATER, headers: bearer(token) })
  t.equal(json.code, 'view-behind')
})

t.test('a request whose call was taken before opens nothing', async (t) => {
  const { acme, stream, view } = await openShared(t, 2)
  const headers = { 'idempotency-key': 'the same' }
  const first = await acme('createInvocation', { body: LATER, headers })
  await complete(view)
  const schedule = await acme('createSchedule', { body: HOURLY, headers: { 'idempotency-key': 'another' } })
  await view.until(() => (view.openOf('acme') === 2 ? true : undefined), 10_000)
  t.equal((await acme('createInvocation', { body: LATER })).status, 429)
  const again = await acme('createInvocation', { body: LATER, headers })
  t.strictSame([again.status, again.json.id], [202, first.json.id])
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  const scheduled = await acme('createSchedule', { body: HOURLY, headers: { 'idempotency-key': 'another' } })
  t.strictSame([scheduled.status, scheduled.json.id], [201, schedule.json.id])
  t.equal((await readCalls(stream)).length, 2)
})

t.test('no tenant has all the places to wait', async (t) => {
  const { acme, globex, stream, view } = await openShared(t, undefined, { waitingMax: 6 })
  const listener = new Listener(stream)
  const [ofAcme, ofGlobex] = await Promise.all(
    [acme, globex].map(async (who) => {
      const { id } = (await who('createInvocation', { body: LATER })).json
      await view.until(() => view.get(id), 10_000)
      return {
        id,
        call: await listener.callOf(view, id),
        wait: () => who('getInvocation', { id, query: { wait: '60s' } }),
      }
    }),
  )
  if (!ofAcme || !ofGlobex) return
  const waiting = [ofAcme.wait(), ofAcme.wait(), ofAcme.wait()]
  while (view.waits < 3) await turn()
  t.equal((await ofAcme.wait()).json.state, 'scheduled', 'one more is answered at once')
  waiting.push(ofGlobex.wait())
  while (view.waits < 4) await turn()
  t.equal((await ofGlobex.wait()).json.state, 'scheduled', 'also of those who came later')
  await Promise.all([ofAcme, ofGlobex].map(({ call }) => listener.succeed(call)))
  for (const each of waiting) t.equal((await each).json.state, 'succeeded')
  const later = (await globex('createInvocation', { body: LATER })).json.id
  await view.until(() => view.get(later), 10_000)
  const again = [1, 2, 3].map(() => globex('getInvocation', { id: later, query: { wait: '60s' } }))
  while (view.waits < 3) await turn()
  await listener.succeed(await listener.callOf(view, later))
  for (const each of again) t.equal((await each).json.state, 'succeeded', 'who is done leaves his place')
})

t.test('no tenant takes up all changes that may be looked out for', async (t) => {
  const { acme, globex, view } = await openShared(t, undefined, { changesMax: 6 })
  const sent = async (who: typeof acme): Promise<string> => (await who('createInvocation', { body: LATER })).json.id
  const asked = async (who: typeof acme, name: 'cancelInvocation' | 'moveInvocation', id: string) => {
    const body = name === 'moveInvocation' ? { body: { delay: '2h' } } : {}
    const { json, status } = await who(name, { id, query: { wait: '0s' }, ...body })
    if (status === 202) await view.until(() => view.directive(id), 10_000)
    return json.code ?? status
  }
  const ids = await Promise.all([1, 2, 3, 4].map(() => sent(acme)))
  const [last = '', ...others] = ids
  for (const id of others) t.equal(await asked(acme, 'moveInvocation', id), 202)
  t.equal(await asked(acme, 'cancelInvocation', last), 'overloaded')
  t.equal(
    (await acme('cancelInvocations', { body: { filter: { correlationId: 'order-42' } } })).json.code,
    'overloaded',
  )
  const ofGlobex = await Promise.all([1, 2].map(() => sent(globex)))
  t.strictSame(
    [
      await asked(globex, 'cancelInvocation', ofGlobex[0] ?? ''),
      await asked(globex, 'cancelInvocation', ofGlobex[1] ?? ''),
    ],
    [202, 'overloaded'],
    'there is room for another, and some is left',
  )
  t.strictSame(
    [view.directivesOf('acme'), view.directivesOf('globex')],
    [
      { own: 3, others: 1 },
      { own: 1, others: 3 },
    ],
  )
})

/** Waits until the view is known to show all that was sent: before, that may count twice. */
function complete(view: FollowingView): Promise<unknown> {
  const nowMs = performance.now()
  return view.until(() => (view.asOfMs() >= nowMs ? true : undefined), 10_000)
}
