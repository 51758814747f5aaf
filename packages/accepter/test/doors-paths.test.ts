import type { NamedFunction } from '@posthaste/core'
import t from 'tap'
import { bearer, credentialsOf, holderOf } from './callers.js'
import { functionOf, startDoors, startFunction } from './door-setting.js'
import { exchangeRaw, parseRaw } from './setting.js'

/** A request that no HTTP library would send as it is. */
async function askRaw(port: number, line: string, headers: readonly string[] = []) {
  const head = [`${line} HTTP/1.1`, 'host: here', 'connection: close', ...headers]
  return parseRaw(await exchangeRaw(port, Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1')))
}

t.test('no path leads out of a function', async (t) => {
  const seen: (string | undefined)[] = []
  const target = await startFunction(t, (request, response) => {
    seen.push(request.url)
    response.end()
  })
  const { calls, port } = await startDoors(t, [
    functionOf(`${target}/base/fn?key=1`, { routes: ['/square', '/square/root'] }),
    functionOf(target, { name: 'bare' }),
  ])
  const shown = async (path: string): Promise<string | number | undefined> => {
    seen.length = 0
    const { status } = await askRaw(port, `GET ${path}`)
    return status === 200 ? seen[0] : status
  }
  const long = 'x'.repeat(9_000)
  for (const [path, what] of [
    ['/function/resize', '/base/fn?key=1'],
    ['/function/resize/', '/base/fn?key=1'],
    ['/function/resize/a/../../x', '/base/fn/x?key=1'],
    ['/function/resize/../../../x', '/base/fn/x?key=1'],
    ['/function/resize/%2e%2E/.%2e/x', '/base/fn/x?key=1'],
    ['/function/resize//a///b', '/base/fn//a///b?key=1'],
    ['/function/resize/..%2f..%2Fx', 400],
    ['/function/resize/a%5c%2e%2e%5Cx', 400],
    ['/function/resize/a%2f..', 400],
    ['/function/resize/\\..\\x', 400],
    ['/function/resize/a%2fb..%2fc', '/base/fn/a%2fb..%2fc?key=1'],
    ['/function/resize/a?q=100%&r=../x&s=%zz&t=?', '/base/fn/a?key=1&q=100%&r=../x&s=%zz&t=?'],
    ['/function/resize/100%', 400],
    ['/function/resize/%ff', 400],
    ['/function/resize/a%00b%0d%0a', '/base/fn/a%00b%0d%0a?key=1'],
    ['/function/resize/a#b?c', 400],
    ['/function/resize?', '/base/fn?key=1'],
    ['/function/bare/../x', '/x'],
    [`/function/resize/${long}`, 400],
    [`/function/resize/${long}${long}`, 431],
    ['/function/%72esize', 404],
    ['/function/resize%2fa', 404],
    ['/function/../resize', 404],
    ['/function/', 404],
    ['/function//resize', 404],
    ['//function/resize', 404],
    ['/Function/resize', 404],
    ['/./function/resize', 404],
    ['http://elsewhere/function/resize', 404],
    ['/function/__proto__', 404],
    ['/function/constructor', 404],
    ['/square/2', '/base/fn/2?key=1'],
    ['/square/root/2', '/base/fn/2?key=1'],
    ['/square', '/base/fn?key=1'],
    ['/squares', 404],
    ['/square%2f2', 404],
    ['/square/../x', '/base/fn/x?key=1'],
  ] as const)
    t.equal(await shown(path), what, path.slice(0, 60))
  t.strictSame(calls(), [])
})

t.test('a path that is not one is an error of who asks, in the way of its door', async (t) => {
  const { port } = await startDoors(t, [functionOf('http://10.0.0.1/fn')])
  for (const [line, status, type] of [
    ['DELETE /async-function/%zz', 400, 'text/plain'],
    ['POST /2015-03-31/functions/%/invocations', 400, 'x-amzn-errortype: invalidparametervalueexception'],
    ['GET /2023-03-30/functions/%ff/async-tasks', 400, 'x-fc-error-type'],
    ['GET /2023-03-30/functions/a#%ff/async-tasks', 400, 'x-fc-error-type'],
    ['POST /call/a#%ff', 400, 'problem+json'],
    ['GET /%ff', 400, 'problem+json'],
    ['POST /async-function/resize/..%2fx', 400, 'text/plain'],
    ['POST /async-function/nothing', 404, 'text/plain'],
    ['POST /async-function', 404, 'problem+json'],
    ['GET /async-function/resize', 405, 'text/plain'],
    ['PUT /async-function/resize/a/b', 405, 'text/plain'],
    ['POST /call/http://', 400, 'problem+json'],
    ['POST /call/https:/api.example.com/', 400, 'problem+json'],
    ['GET /function/resize/async', 405, 'problem+json'],
    ['HEAD /function/resize/a/async/', 405, 'problem+json'],
    ['POST /function/nothing/async', 404, 'problem+json'],
  ] as const) {
    const answer = await askRaw(port, line, ['content-length: 0'])
    t.equal(answer.status, status, line)
    t.match(answer.headers, type, line)
    t.equal(status === 405, /\r\nallow: /.test(answer.headers), `${line}: what is allowed`)
  }
  t.match((await askRaw(port, 'GET /function/resize/async')).headers, 'allow: post, put, patch, delete')
})

t.test('who may not ask does not learn which functions there are', async (t) => {
  const { holder, token } = holderOf({ scopes: ['read'] })
  const credentials = credentialsOf([holder])
  const { url } = await startDoors(t, [functionOf('http://10.0.0.1/fn', { doors: ['boltic'] })], { credentials })
  for (const path of ['/function/resize', '/function/nothing', '/function/resize/async', '/async-function/resize'])
    for (const [headers, status] of [
      [{}, 401],
      [bearer(token), 403],
    ] as const)
      t.equal((await fetch(url + path, { method: 'POST', headers })).status, status, path)
})

t.test('a door shows its functions alone, at its prefix alone, and each calls them at once', async (t) => {
  const target = await startFunction(t, (request, response) => response.end(request.url))
  const functions: NamedFunction[] = [
    functionOf(`${target}/all`, { name: 'all', routes: ['/all'] }),
    functionOf(`${target}/boltic`, { name: 'boltic', doors: ['boltic'] }),
    functionOf(`${target}/none`, { name: 'none', doors: [], routes: ['/none'] }),
  ]
  const { calls, url } = await startDoors(t, functions, {}, ['openfaas', 'boltic=/b'])
  const status = async (method: string, path: string) => (await fetch(url + path, { method })).status
  for (const [method, path, wanted] of [
    ['GET', '/function/all', 200],
    ['GET', '/all/x', 200],
    ['GET', '/b/function/all/x', 200],
    ['GET', '/b/all/x', 200],
    ['POST', '/async-function/all', 202],
    ['POST', '/b/async-function/all', 404],
    ['POST', '/b/function/all/async', 202],
    ['POST', '/b/function/boltic/async', 202],
    ['GET', '/b/function/boltic', 200],
    ['GET', '/function/boltic', 404],
    ['POST', '/async-function/boltic', 404],
    ['GET', '/function/none', 404],
    ['GET', '/none', 404],
    ['GET', '/bfunction/all', 404],
    ['GET', '/b', 404],
    ['POST', '/2015-03-31/functions/all/invocations', 404],
  ] as const)
    t.equal(await status(method, path), wanted, `${method} ${path}`)
  t.equal(calls().length, 3)
  // Without its door `async` is a part of the path like any other.
  t.equal(await (await fetch(`${url}/function/all/async`, { method: 'POST' })).text(), '/all/async')
})

t.test('raw mode can be switched off, or be beneath a prefix', async (t) => {
  for (const [doors, root, beneath] of [
    [['raw=/in'], 404, 202],
    [[], 404, 404],
    [['raw'], 202, 404],
  ] as const) {
    const { url } = await startDoors(t, [], {}, doors)
    const status = async (prefix: string) =>
      (await fetch(`${url}${prefix}/call?to=https://example.com/`, { method: 'POST' })).status
    t.equal(await status(''), root, `${doors}`)
    t.equal(await status('/in'), beneath, `${doors}`)
  }
})

t.test('other functions are there at once, and their routes with them', async (t) => {
  const target = await startFunction(t, (request, response) => response.end(request.url))
  const { change, url } = await startDoors(t, [functionOf(`${target}/1`, { routes: ['/one'] })])
  t.equal(await (await fetch(`${url}/one/x`)).text(), '/1/x')
  change([functionOf(`${target}/2`, { name: 'other', routes: ['/other'] })])
  t.equal((await fetch(`${url}/one/x`)).status, 404)
  t.equal((await fetch(`${url}/function/resize`)).status, 404)
  t.equal(await (await fetch(`${url}/other/x`)).text(), '/2/x')
})
