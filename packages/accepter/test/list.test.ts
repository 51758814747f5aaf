import type { InvocationList } from '@posthaste/core'
import t from 'tap'
import { ask } from './api-client.js'
import { Listener, startOne } from './installation.js'

const invocations = [
  { target: 'https://api.example.com/resize?size=l', correlationId: 'order-1' },
  { target: 'https://api.example.com/resize', correlationId: 'order-2' },
  { target: 'https://api.example.com:8443/resize', delay: '1h' },
  { target: 'https://api.example.com/', correlationId: 'order-1', delay: '1h' },
  { target: 'https://other.example.com/resize' },
]

t.test('invocations are listed by what is asked for, newest first', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const ids: string[] = []
  for (const body of invocations) ids.push((await ask(url, 'createInvocation', { body })).json.id)
  const [first, , , fourth] = ids as [string, string, string, string]
  await listener.fail(await listener.callOf(view, first), 'expired')
  await ask(url, 'getInvocation', { id: first, query: { wait: '30s' } })
  const { createdAt } = (await ask(url, 'getInvocation', { id: fourth })).json
  const found = async (query: Record<string, string>): Promise<number[]> => {
    const { json, status } = await ask(url, 'listInvocations', { query })
    t.equal(status, 200, JSON.stringify(query))
    return json.invocations.map(({ id }: { id: string }) => ids.indexOf(id)).sort()
  }
  t.strictSame(await found({}), [0, 1, 2, 3, 4])
  t.strictSame(await found({ state: 'expired' }), [0])
  t.strictSame(await found({ state: 'scheduled,expired' }), [0, 2, 3])
  t.strictSame(await found({ target: 'https://api.example.com/resize' }), [0, 1])
  t.strictSame(await found({ target: 'HTTPS://API.example.com' }), [0, 1, 3])
  t.strictSame(await found({ target: 'https://api.example.com/' }), [3])
  t.strictSame(await found({ target: 'https://api.example.com:443/resize' }), [0, 1])
  t.strictSame(await found({ correlationId: 'order-1' }), [0, 3])
  t.strictSame(await found({ correlationId: 'order-1', state: 'scheduled' }), [3])
  t.ok((await found({ createdAfter: createdAt })).includes(3))
  t.notOk((await found({ createdBefore: createdAt })).includes(3))
  const { headers, json } = await ask(url, 'listInvocations')
  const times = json.invocations.map((each: { createdAt: string }) => each.createdAt)
  t.strictSame(times, times.toSorted().reverse())
  t.equal(headers.get('cache-control'), 'no-cache')
  t.match(json.invocations.at(-1), { state: 'expired', failure: { code: 'status' }, response: { status: 500 } })
  t.notOk(
    json.invocations.some((each: object) => 'attempts' in each || 'instruction' in each),
    'less than one by itself',
  )
})

t.test('pages lead from one to the next, by the cursor and by the link', async (t) => {
  const { url } = await startOne(t)
  const body = {
    invocations: Array.from({ length: 25 }, () => ({ target: 'https://a.example.com/?a=b', delay: '1h' })),
  }
  const ids = (await ask(url, 'createInvocations', { body })).json.results.map(({ id }: { id: string }) => id)
  const query = { limit: '10', state: 'scheduled', target: 'https://a.example.com/' }
  const seen: string[] = []
  let page = await ask(url, 'listInvocations', { query })
  for (const length of [10, 10, 5]) {
    t.equal(page.json.invocations.length, length)
    seen.push(...page.json.invocations.map(({ id }: { id: string }) => id))
    if (length === 5) break
    const [, path = ''] = /^<(.+)>; rel="next"$/.exec(page.headers.get('link') ?? '') ?? []
    const linked = await (await fetch(url + path)).json()
    page = await ask(url, 'listInvocations', { query: { ...query, cursor: page.json.next } })
    t.strictSame(linked, page.json)
  }
  t.notOk('next' in page.json || page.headers.has('link'))
  t.strictSame(seen.toSorted(), ids.toSorted())
})

t.test('the link keeps what was asked for, another question mark too', async (t) => {
  const { url } = await startOne(t)
  const body = { invocations: Array.from({ length: 3 }, () => ({ target: 'https://a.example.com/?a=b', delay: '1h' })) }
  await ask(url, 'createInvocations', { body })
  const response = await fetch(`${url}/invocations?target=https://a.example.com/?a=b&limit=1&state=scheduled`)
  t.equal(((await response.json()) as InvocationList).invocations.length, 1)
  const [, path = ''] = /^<(.+)>; rel="next"$/.exec(response.headers.get('link') ?? '') ?? []
  const { cursor, ...same } = Object.fromEntries(new URL(path, url).searchParams)
  t.ok(cursor)
  t.strictSame(same, { target: 'https://a.example.com/?a=b', limit: '1', state: 'scheduled' })
})

t.test('a list that is not understood is refused', async (t) => {
  const { url } = await startOne(t)
  const wrong: Record<string, string>[] = [
    { state: 'done' },
    { state: '' },
    { state: 'queued,' },
    { target: '/resize' },
    { createdAfter: 'yesterday' },
    { createdBefore: '2026-02-30T00:00:00Z' },
    { limit: '0' },
    { limit: '501' },
    { limit: '1.5' },
    { cursor: 'nonsense' },
    { cursor: '' },
    { correlationId: '' },
    { offset: '1' },
    { constructor: '1' },
  ]
  for (const query of wrong) {
    const { json, status } = await ask(url, 'listInvocations', { query })
    t.equal(status, 400, JSON.stringify(query))
    t.equal(json.code, 'invalid-query', JSON.stringify(query))
  }
  for (const query of ['state=queued&state=failed', 'limit[]=1', '__proto__=1']) {
    const response = await fetch(`${url}/invocations?${query}`)
    t.equal(response.status, 400, query)
    await response.text()
  }
})
