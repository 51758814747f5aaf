import t from 'tap'
import { bearer, credentialsOf, holderOf } from './callers.js'
import { functionOf, startDoors, startFunction } from './door-setting.js'
import { exchangeRaw, parseRaw } from './setting.js'

const TO = encodeURIComponent('https://api.example.com/')
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })

t.test('who asks may be said in ways that a URL can carry', async (t) => {
  const { holder, token } = holderOf({ scopes: ['invoke'] })
  const { calls, url } = await startDoors(t, [functionOf('http://10.0.0.1/')], { credentials: credentialsOf([holder]) })
  const status = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
    (await fetch(url + path, { method: 'POST', headers })).status
  for (const path of ['/async-function/resize', '/function/resize/async', `/call?to=${TO}`]) {
    t.equal(await status(path), 401, path)
    t.equal(await status(path, bearer(token)), 202)
    t.equal(await status(path, basic(`anybody:${token}`)), 202)
    t.equal(await status(path, basic(`:${token}`)), 202)
    for (const wrong of [`anybody:${token}x`, token, `${token}:anybody`, `a:b:${token}`, ''])
      t.equal(await status(path, basic(wrong)), 401, wrong.replace(token, 'TOKEN'))
    t.equal(
      await status(path, { ...basic(`anybody:${token}`), origin: 'https://elsewhere.example.com' }),
      401,
      'a page',
    )
  }
  const page = { ...basic(`anybody:${token}`), 'sec-fetch-site': 'cross-site' }
  t.equal(await status('/async-function/resize', page), 401, 'a page that a browser says is another')
  t.not(await status('/invocations', basic(`anybody:${token}`)), 401, 'at every path, not at doors alone')
  t.equal(await status('/invocations', basic(`anybody:${token}x`)), 401)
  t.equal(await status(`/call?to=${TO}&token=${token}`), 202)
  const wrong = await fetch(`${url}/call?to=${TO}&token=${token}x`, { method: 'POST' })
  t.match([wrong.status, wrong.headers.get('www-authenticate')], [401, /invalid_token/])
  t.equal(await status(`/call?to=${TO}&token=${token}`, bearer('another')), 401, 'what is sent as a header counts')
  t.equal(await status(`/call?to=${TO}&token=${token}&token=${token}`), 401)
  t.equal(await status(`/async-function/resize?token=${token}`), 401, 'there alone')
  const kept = JSON.stringify(calls())
  t.equal(calls().length, 10)
  t.notMatch(kept, token, 'the token goes no further')
  t.notMatch(kept, /authorization/i)
})

t.test('a token names functions, and what it may not name is called by no door', async (t) => {
  const target = await startFunction(t, (_, response) => response.end())
  const functions = ['img-small', 'other'].map((name) => functionOf(target, { name }))
  const { holder, token } = holderOf({ scopes: ['invoke'], functions: ['img-*'] })
  const { url } = await startDoors(t, functions, { credentials: credentialsOf([holder]) })
  const status = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
    (await fetch(url + path, { method: 'POST', headers: { ...bearer(token), ...headers } })).status
  for (const [name, accepted, answered] of [
    ['img-small', 202, 200],
    ['other', 403, 403],
  ] as const) {
    t.equal(await status(`/function/${name}`), answered)
    t.equal(await status(`/async-function/${name}`), accepted)
    t.equal(await status(`/function/${name}/async`), accepted)
    t.equal(await status(`/function/${name}`, { prefer: 'respond-async' }), accepted)
    t.equal(await status(`/call?to=function://${name}`), accepted)
    t.equal(await status('/function/img-small/async', { 'x-callback-url': name }), accepted, 'as a callback')
  }
  t.equal(await status('/async-function/img-small', { 'x-callback-url': 'https://api.example.com/' }), 403)
})

t.test('where nobody says who he is no page of another site may ask, at no door', async (t) => {
  const { calls, port, url } = await startDoors(t, [functionOf('http://127.0.0.1:1/', { routes: ['/square'] })])
  for (const path of ['/async-function/resize', '/function/resize', '/square/async', `/call?to=${TO}`]) {
    const headers = { origin: 'https://elsewhere.example.com', 'content-type': 'text/plain' }
    t.equal((await fetch(url + path, { method: 'POST', headers })).status, 403, path)
  }
  for (const [host, site, status] of [
    ['127.0.0.1', 'cross-site', 403],
    ['127.0.0.1', 'same-site', 403],
    ['evil.example.com', 'same-origin', 403],
    ['127.0.0.1:80', 'same-origin', 502],
    ['[::1]:80', 'same-origin', 502],
    ['posthaste.example.com', 'none', 502],
  ] as const) {
    const head = ['GET /square HTTP/1.1', `host: ${host}`, `sec-fetch-site: ${site}`, 'connection: close', '', '']
    t.equal(parseRaw(await exchangeRaw(port, head.join('\r\n'))).status, status, `a GET of a page: ${host}, ${site}`)
  }
  t.strictSame(calls(), [])
  const own = { authorization: 'Bearer of-the-function' }
  await fetch(`${url}/async-function/resize`, { method: 'POST', headers: own })
  t.match(calls()[0]?.headers, own, 'what says who asks is for the function then')
})

t.test('where operators alone are served there is no door', async (t) => {
  const functions = [functionOf('http://127.0.0.1:1/', { routes: ['/square'] })]
  const { calls, url } = await startDoors(t, functions, { serves: (scope) => scope === 'operate' || scope === 'open' })
  for (const path of ['/async-function/resize', '/function/resize', '/square', `/call?to=${TO}`])
    t.equal((await fetch(url + path, { method: 'POST' })).status, 404, path)
  t.strictSame(calls(), [])
})
