import { createId } from '@posthaste/core'
import t from 'tap'
import { bearer, credentialsOf, holderOf } from './callers.js'
import { LATER, startForAll, TASKS, V2, V3 } from './door-matrix.js'

// What of others' calls one tenant learns through a door: nothing.

const IN_AN_HOUR = { ...LATER, 'x-fc-async-delay': '3600' }
/** What asks for one call, by the name that its client gave it or by its id. */
const BY_NAME = [
  ['GET', `${V3}/async-tasks/NAME`],
  ['GET', `/2021-04-06${V2}/${TASKS}/NAME`],
  ['PUT', `${V3}/async-tasks/NAME/stop`],
  ['PUT', `/2021-04-06${V2}/${TASKS}/NAME`],
  ['PUT', `/2016-08-15${V2}/${TASKS}/NAME`],
  ['DELETE', '/async-function/NAME'],
  ['DELETE', '/async-function/resize/NAME'],
] as const

async function openDoorsToTenants(t: Parameters<typeof startForAll>[0]) {
  const holders = ['acme', 'globex', ''].map((tenant) =>
    holderOf({ name: `of-${tenant}`, tenant, scopes: ['invoke', 'read', 'control'] }),
  )
  const one = await startForAll(t, credentialsOf(holders.map(({ holder }) => holder)))
  const askers = holders.map(({ token }) => async (method: string, path: string, headers: object = {}) => {
    const ask = () => fetch(one.url + path, { method, headers: { ...bearer(token), ...headers } })
    let answer = await ask()
    // On a machine that stands still for seconds the view is behind by itself.
    while (answer.status === 503 && one.view.lagMs === 0) answer = await ask()
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  })
  return { ...one, askers: askers as [Asker, Asker, Asker] }
}

type Asker = (
  method: string,
  path: string,
  headers?: object,
) => Promise<{ status: number; headers: Headers; text: string }>

/** All that is told, but for the name that was asked for, and what is new with each answer. */
function told({ headers, status, text }: Awaited<ReturnType<Asker>>, name: string): string {
  const shown = [...headers].filter(([one]) => one !== 'date')
  const ids = new RegExp(`${name}|[0-9a-f]{8}-[0-9a-f-]{27}`, 'g')
  return JSON.stringify([status, shown, text]).replace(ids, '<id>')
}

t.test('what is of another tenant is answered as what is not there', async (t) => {
  const { askers, stream, view } = await openDoorsToTenants(t)
  const [acme, ...others] = askers
  const task = { ...IN_AN_HOUR, 'x-fc-async-task-id': 'order' }
  const { headers } = await acme('POST', `${V3}/invocations`, task)
  const id = headers.get('x-fc-request-id') as string
  t.equal((await acme('POST', '/async-function/resize', { 'x-call-id': 'called' })).status, 202)
  for (const who of others) {
    for (const [method, path] of BY_NAME) {
      for (const [known, unknown] of [
        ['order', 'wrong'],
        ['called', 'nobody'],
        [id, createId(Date.now())],
      ] as const) {
        const [found, missing] = await Promise.all(
          [known, unknown].map(async (name) => told(await who(method, path.replace('NAME', name)), name)),
        )
        t.match(found, /^\[404,/, `${method} ${path} ${known}`)
        t.equal(found, missing)
      }
    }
    const listed = await who('GET', `${V3}/async-tasks?includePayload=true`)
    t.strictSame([listed.status, JSON.parse(listed.text)], [200, { tasks: [] }])
  }
  t.equal(view.directive(id), undefined, 'nothing was asked of it')
  const { text } = await acme('GET', `${V3}/async-tasks?limit=1`)
  const { nextToken } = JSON.parse(text)
  t.ok(nextToken)
  const page = await others[0]?.('GET', `${V3}/async-tasks?nextToken=${nextToken}`)
  t.strictSame(JSON.parse(page?.text ?? ''), { tasks: [] }, 'the page of another leads nowhere')

  view.lagMs = 60_000
  const behind = await Promise.all(
    [id, createId(Date.now())].map((one) => others[0]?.('GET', `${V3}/async-tasks/${one}`)),
  )
  t.strictSame(
    behind.map((answer) => answer?.status),
    [503, 503],
    'after the same waiting',
  )
  view.lagMs = 0
  t.equal((await acme('PUT', `${V3}/async-tasks/order/stop`)).status, 200, 'its own it can stop')
  t.equal((await acme('DELETE', '/async-function/resize/called')).status, 202)
  t.equal((await stream.health()).ready, true)
})

t.test('a name that one tenant has taken is free for the others', async (t) => {
  const { askers } = await openDoorsToTenants(t)
  const ids = new Set<string>()
  for (const ask of askers) {
    const task = { ...IN_AN_HOUR, 'x-fc-async-task-id': 'order' }
    const first = await ask('POST', `${V3}/invocations`, task)
    ids.add(first.headers.get('x-fc-request-id') ?? '')
    t.strictSame([first.status, (await ask('POST', `${V3}/invocations`, task)).status], [202, 409])
    const keyed = await ask('POST', '/function/resize', { prefer: 'respond-async', 'idempotency-key': '"order"' })
    t.strictSame([keyed.status, keyed.headers.has('idempotency-replayed')], [202, false])
    const called = await ask('POST', '/async-function/resize', { 'x-call-id': 'call', 'idempotency-key': '"call"' })
    ids.add(called.headers.get('x-call-id') ?? '')
  }
  t.equal(ids.size, 4, 'and each has an id of his own')
})
