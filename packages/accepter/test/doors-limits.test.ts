import { EventEmitter, on } from 'node:events'
import type { ServerResponse } from 'node:http'
import { LIMITS } from '@posthaste/core'
import t, { type Test } from 'tap'
import { functionOf, startDoors, startFunction } from './door-setting.js'
import { exchangeRaw } from './setting.js'

t.test('what a function takes holds for calls at once, too', async (t) => {
  const { next, target } = await startHeld(t)
  const { url } = await startDoors(t, [
    functionOf(target, { limits: { concurrency: 2 } }),
    functionOf(target, { name: 'seldom', limits: { requestsPerSecond: 0.001, burst: 1 } }),
    functionOf(target, { name: 'other' }),
  ])
  const ask = (path: string) => fetch(url + path, { method: 'POST', body: '{}' })
  const both = [ask('/function/resize'), ask('/2015-03-31/functions/resize/invocations')]
  for (const path of ['/function/seldom', '/function/other']) both.push(ask(path))
  const running = await Promise.all(both.map(next))
  for (const path of ['/function/resize', '/function/seldom', '/2015-03-31/functions/resize/invocations']) {
    const answer = await ask(path)
    t.strictSame([answer.status, answer.headers.get('retry-after')], [503, '1'], path)
  }
  t.equal((await ask('/function/resize/async')).status, 202, 'what is called later waits')
  for (const response of running) response.end()
  await Promise.all(both.map(async (answer) => (await answer).text()))
  const again = ask('/function/resize')
  const response = await next()
  response.end()
  t.equal((await again).status, 200, 'a place that was given back')
})

t.test('what a function takes of a body it takes however that comes', async (t) => {
  const { url } = await startDoors(t, [functionOf('http://10.0.0.1/', { limits: { bodyBytes: 5 } })])
  for (const body of ['12345', '123456']) {
    const instruction = { function: 'resize', body, bodyEncoding: 'text' }
    for (const [path, sent] of [
      ['/async-function/resize', body],
      ['/function/resize/async', body],
      ['/call?to=function://resize', body],
      ['/invocations', JSON.stringify(instruction)],
      ['/schedules', JSON.stringify({ cron: '0 9 * * *', instruction })],
    ] as const) {
      const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body: sent }
      const { status } = await fetch(url + path, asked)
      t.ok(body.length > 5 ? status === 413 : status < 300, `${path}: ${status}`)
    }
  }
})

t.test('who asks for ever more on one connection has no more than a share of what there is', async (t) => {
  const running: ServerResponse[] = []
  const refused: string[] = []
  const onRefused = (code: string): void => {
    refused.push(code)
    for (const response of running) response.end()
  }
  const target = await startFunction(t, (_, response) => {
    running.push(response)
    if (refused.length > 0) response.end()
  })
  const { port } = await startDoors(t, [functionOf(target)], { onRefused })
  const one = 'GET /function/resize HTTP/1.1\r\nhost: a\r\n\r\n'
  const last = 'GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'
  const answers = await exchangeRaw(port, one.repeat(LIMITS.functionCallsMax / 2 + 10) + last)
  t.ok(refused.length > 0 && refused.every((code) => code === 'overloaded'))
  t.equal(answers.match(/HTTP\/1\.1 503 /g)?.length, refused.length)
})

t.test('what of a call at once had to be read counts for as long as that runs', async (t) => {
  const { next, target } = await startHeld(t)
  const bodyBytes = LIMITS.bodiesBytesMax / 4 + 1
  const { url } = await startDoors(t, [functionOf(target, { limits: { bodyBytes } })])
  const body = `"${'x'.repeat(bodyBytes - 2)}"`
  const ask = () => fetch(`${url}/2015-03-31/functions/resize/invocations`, { method: 'POST', body })
  for (const which of ['the first', 'the next']) {
    const answer = ask()
    const response = await next()
    if (which === 'the first') t.equal((await ask()).status, 503)
    response.end()
    t.equal((await answer).status, 200, which)
  }
})

/** A function that leaves its answers to the test, in the order in which requests come. */
async function startHeld(t: Test) {
  const came = new EventEmitter()
  const answers = on(came, 'answer')
  const target = await startFunction(t, (_, response) => void came.emit('answer', response))
  const next = async (): Promise<ServerResponse> => (await answers.next()).value[0]
  return { target, next }
}
