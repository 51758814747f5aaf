import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { curl } from './harness/command-line.js'
import { runBlocks } from './harness/doc-blocks.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { FunctionProcess } from './harness/function-process.js'
import { FunctionsFile } from './harness/functions-file.js'
import { closedGate } from './harness/gate.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'

// Those doors of ours that are no other system's: RFC 7240, and raw mode.

const fn = await FunctionProcess.start(t)
const callbacks = await FunctionProcess.start(t)
const gate = closedGate()
const scripted = await TargetServer.start(async ({ path }) => {
  if (path === '/odd') return { headers: { vary: 'Accept, Cookie', 'posthaste-odd': 'x' } }
  await gate.opened
  return {}
})
t.teardown(() => scripted.stop())
const { dataDir } = createEmbedded(t)
const functions = new FunctionsFile(
  t,
  `functions:
  resize: { url: ${fn.url}/resize }
  echo: { url: ${fn.url}/echo }
  slow: { url: ${scripted.url}/slow }
  failing: { url: ${fn.url}/status/500, retry: { maxAttempts: 2, initialDelay: 1ms } }
  odd: { url: ${scripted.url}/odd }
  gone: { url: "http://127.0.0.1:1", retry: { maxAttempts: 1 } }
`,
).path
const posthaste = await PosthasteProcess.start({ role: 'start', dataDir, settings: { functions } })
t.teardown(() => posthaste.stop())
const { url } = posthaste

async function endOf(location = ''): Promise<{ state: string }> {
  let answer = await fetch(`${url + location}?wait=60s`)
  // What is shown may be behind for a moment.
  while (answer.status === 503) answer = await fetch(`${url + location}?wait=60s`)
  return (await answer.json()) as { state: string }
}

t.test('respond-async is 202, and where to look', async (t) => {
  const prefer = ['-H', 'Prefer: handling=lenient, respond-async; x=1']
  const answer = await curl(`${url}/function/echo/a?b=c`, '-X', 'PUT', '-d', 'later', ...prefer)
  t.match([answer.status, answer.headers['preference-applied'], answer.headers.vary], [202, 'respond-async', 'Prefer'])
  t.match(JSON.parse(answer.body), { id: /./, state: 'queued' })
  t.equal((await endOf(answer.headers.location)).state, 'succeeded')
  t.match(fn.with('later'), [{ method: 'PUT', path: '/echo/a?b=c' }])
  t.notOk(fn.with('later')[0]?.headers.prefer)
})

t.test('what ends in time is answered as if it had been called at once, and called once', async (t) => {
  const ask = (name: string, body: string, ...more: string[]) =>
    curl(`${url}/function/${name}`, '-d', body, '-H', 'Prefer: respond-async, wait=60', '-H', 'X-Mine: m', ...more)
  const answer = await ask('echo', 'in time')
  t.match(answer, { status: 200, body: 'in time', headers: { 'x-from': 'function' } })
  t.equal(answer.headers['preference-applied'], 'respond-async, wait=60')
  t.equal(fn.with('in time').length, 1)
  t.match(await ask('failing', 'in vain'), { status: 500, body: 'in vain' })
  t.equal(fn.with('in vain').length, 2, 'as often as the function says')
  t.match([(await ask('gone', 'x')).status], [502])
  const odd = await curl(`${url}/function/odd`, '-H', `Prefer: respond-async, wait=${'9'.repeat(400)}`)
  t.match([odd.headers['preference-applied'], odd.headers.vary], ['respond-async, wait=60', 'Prefer, Accept, Cookie'])
  t.notOk(odd.headers['posthaste-odd'])
  const again = ['-H', 'Idempotency-Key: one']
  const both = [await ask('echo', 'with a key', ...again), await ask('echo', 'with a key', ...again)]
  t.match(both, [
    { status: 200, body: 'with a key' },
    { status: 200, headers: { 'idempotency-replayed': 'true' } },
  ])
  t.equal(fn.with('with a key').length, 1)
})

t.test('what does not is 202, and called once all the same; so is what nobody waits for any more', async (t) => {
  const leaving = new AbortController()
  const { signal } = leaving
  const asked = { method: 'POST', body: 'left', headers: { prefer: 'respond-async, wait=60' }, signal }
  const left = fetch(`${url}/function/slow`, asked)
  await scripted.until(({ waiting }) => waiting === 1, 60_000)
  leaving.abort()
  await t.rejects(left)
  const answer = await curl(`${url}/function/slow`, '-d', 'too slow', '-H', 'Prefer: wait="1", respond-async')
  t.match([answer.status, answer.headers['preference-applied']], [202, 'respond-async, wait=1'])
  await scripted.until(({ waiting }) => waiting === 2, 60_000)
  gate.open()
  const calls = () => scripted.arrivals.filter(({ path }) => path === '/slow')
  for (const { body, id } of calls()) t.equal((await endOf(`/invocations/${id}`)).state, 'succeeded', body)
  const bodies = calls().map(({ body }) => body)
  t.strictSame(bodies.sort(), ['left', 'too slow'])
})

t.test('what is not asked for is not done', async (t) => {
  for (const value of [
    'wait=60',
    'a="x, respond-async"',
    'respond-asynchronously',
    '"respond-async"',
    ',;=,',
    '"'.repeat(10_000),
  ]) {
    const answer = await curl(`${url}/function/echo`, '-d', 'at once', '-H', `Prefer: ${value}`)
    t.match([answer.status, answer.headers['preference-applied']], [200, undefined], value.slice(0, 30))
  }
  const answer = await curl(`${url}/function/nothing`, '-H', 'Prefer: respond-async')
  t.match([answer.status, JSON.parse(answer.body)], [404, { code: 'unknown-function' }])
})

t.test('raw: whatever is sent is the body, and the rest stands in the URL', async (t) => {
  const bytes = join(dataDir, 'bytes')
  writeFileSync(bytes, Buffer.from([0, 255, 10, 13, 128]))
  const to = encodeURIComponent(`${fn.url}/raw?a=b`)
  const sent = ['--data-binary', `@${bytes}`, '-H', 'Content-Type: image/x-odd; charset', '-H', 'X-Signature: s1']
  const answer = await curl(
    `${url}/call?to=${to}&method=PUT&header.X-Key=k&query.c=d&forwardTo=${encodeURIComponent(callbacks.url)}&correlationId=raw-1`,
    ...sent,
  )
  t.match([answer.status, JSON.parse(answer.body).correlationId], [202, 'raw-1'])
  t.equal((await endOf(answer.headers.location)).state, 'succeeded')
  const came = fn.arrivals.find(({ path }) => path === '/raw?a=b&c=d')
  t.match(came, { method: 'PUT' })
  t.match(came?.headers, {
    'content-length': '5',
    'content-type': 'image/x-odd; charset',
    'x-signature': 's1',
    'x-key': 'k',
  })
  t.match((await callbacks.got(came?.body ?? 'none')).headers, { 'posthaste-correlation-id': 'raw-1' })
  const held = await curl(`${url}/call/${fn.url}/path?x=1`, '-d', 'by path', '-H', 'Posthaste-Method: PATCH')
  t.equal(held.status, 202)
  t.match(await fn.got('by path'), { method: 'PATCH', path: '/path?x=1' })
  await curl(`${url}/call/${encodeURIComponent(`${fn.url}/encoded?y=2`)}?z=3`, '-d', 'encoded')
  t.equal((await fn.got('encoded')).path, '/encoded?y=2&z=3')
  await curl(`${url}/call?to=function://echo/x`, '-d', 'to a function')
  t.equal((await fn.got('to a function')).path, '/echo/x')
})

t.test('what docs/front-doors.md shows of it is true', async (t) => {
  for (const title of ['RFC 7240', 'Raw mode']) runBlocks(t, title, url, ['sh', 'sh'], { receiverUrl: callbacks.url })
})
