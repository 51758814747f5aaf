import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SCOPES } from '@posthaste/core'
import t, { type Test } from 'tap'
import { ask } from './api-client.js'
import { bearer, credentialsOf, jwtCallers, startIssuer } from './callers.js'
import { startOne } from './installation.js'

t.test('a JWT says who somebody is, and what he may', async (t) => {
  const { keys, sign } = await startIssuer()
  const callers = jwtCallers(keys, { tenantClaim: 'org' })
  const claims = { scope: 'read operate invoke', org: 'acme', targets: ['https://*.example.com'], sub: 'auth0|1' }
  const token = await sign(claims)
  const caller = await callers.callerOf(token)
  t.match(caller, { name: 'jwt:auth0|1', tenant: 'acme' })
  t.strictSame(caller?.scopes, new Set(['read', 'invoke']), 'none who sees all tenants')
  t.strictSame([caller?.mayName('https://a.example.com/'), caller?.mayName('https://a.com/')], [true, false])
  t.equal(callers.callerOf(token), caller, 'it is not verified again')
  t.equal((await callers.callerOf(await sign({ org: 'acme' })))?.mayName('http://anything/'), true)
  const ofFunctions = await callers.callerOf(await sign({ org: 'acme', functions: ['resize', 'img-*'] }))
  const urls = ['function://resize/a', 'function://img-small', 'function://other', 'https://a.example.com/']
  t.strictSame(
    urls.map((url) => ofFunctions?.mayName(url)),
    [true, true, false, false],
  )
})

t.test('a JWT that does not say all that it must is no way in', async (t) => {
  const { keys, sign } = await startIssuer()
  const callers = jwtCallers(keys, { tenantClaim: 'tenant' })
  for (const [what, claims] of Object.entries({
    'no tenant': {},
    'an empty tenant': { tenant: '' },
    'a tenant that is no text': { tenant: ['a'] },
    'a tenant with what none has': { tenant: 'a\u0000b' },
    'no subject': { tenant: 'a', sub: '' },
    'a subject that is null': { tenant: 'a', sub: null },
    'a subject that is no text': { tenant: 'a', sub: 1 },
    'a subject too long': { tenant: 'a', sub: 's'.repeat(256) },
    'targets that are no list': { tenant: 'a', targets: 'https://a.example.com' },
    'a target that is none': { tenant: 'a', targets: ['https://a.example.com', 'a.example.com'] },
    'a target that is no text': { tenant: 'a', targets: [1] },
    'functions that are no list': { tenant: 'a', functions: 'resize' },
    'a function that is no name': { tenant: 'a', functions: ['resize', 'a b'] },
  }))
    await t.rejects(async () => callers.callerOf(await sign({ scope: 'read', ...claims })), { code: 'forbidden' }, what)
  t.match(await callers.callerOf(await sign({ tenant: 'a' })), { tenant: 'a', scopes: new Set() })
  t.match(await jwtCallers(keys).callerOf(await sign({ tenant: 'a' })), { tenant: '' }, 'where there are no tenants')
})

t.test('the keys of an issuer are fetched once, and not again and again from one who is away', async (t) => {
  const { keys, sign } = await startIssuer()
  const jwks = await serve(t, JSON.stringify(keys))
  const { url } = await startOne(t, { credentials: credentialsOf([], jwtCallers(jwks.url)) })
  const list = async (token: string) => ask(url, 'listInvocations', { headers: bearer(token) })
  const [good, stranger] = [await sign({ scope: 'read' }), await (await startIssuer()).sign({ scope: 'read' })]
  jwks.status = 500
  for (let i = 0; i < 3; i += 1) {
    const { headers, json, status } = await list(good)
    t.match({ status, json }, { status: 503, json: { code: 'not-ready' } }, 'nobody can tell')
    t.equal(headers.get('retry-after'), '1')
    t.notMatch(JSON.stringify(json), jwks.url.host)
  }
  t.equal(jwks.asked, 1, 'it is left alone for a while')
  t.equal((await ask(url, 'getLiveness', { headers: bearer(good) })).status, 200, 'what is open stays open')

  const other = await serve(t, JSON.stringify(keys))
  const second = await startOne(t, { credentials: credentialsOf([], jwtCallers(other.url)) })
  for (let i = 0; i < 3; i += 1) {
    t.equal((await ask(second.url, 'listInvocations', { headers: bearer(good) })).status, 200)
    t.equal((await ask(second.url, 'listInvocations', { headers: bearer(stranger) })).status, 401)
  }
  for (let i = 0; i < 20; i += 1) {
    const token = await sign({ scope: 'read' }, undefined, { kid: `${i}` })
    t.equal((await ask(second.url, 'listInvocations', { headers: bearer(token) })).status, 401, 'of an unknown key')
  }
  t.equal(other.asked, 1)
})

t.test('who answers with something else than keys does not let anybody in', async (t) => {
  const { keys, sign } = await startIssuer()
  const token = await sign({ scope: SCOPES.join(' ') })
  const real = await serve(t, JSON.stringify(keys))
  const moved = await serve(t, '', { location: real.url.href })
  moved.status = 302
  for (const text of [undefined, 'no JSON', '{"keys":1}', '[]', '{}', '{"keys":[1]}']) {
    const served = text === undefined ? moved : await serve(t, text)
    const callers = jwtCallers(served.url)
    for (let i = 0; i < 3; i += 1) await t.rejects(async () => callers.callerOf(token), { code: 'not-ready' })
    t.equal(served.asked, 1, 'nor is he asked again at once')
  }
  t.equal(await jwtCallers((await serve(t, '{"keys":[]}')).url).callerOf(token), undefined)
  t.equal(real.asked, 0, 'no redirect is followed')
})

async function serve(t: Test, text: string, headers: Record<string, string> = {}) {
  const served = { asked: 0, status: 200, url: new URL('http://127.0.0.1') }
  const server = createServer((_, response) => {
    served.asked += 1
    response.writeHead(served.status, headers).end(text)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  served.url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`)
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return served
}
