import { LIMITS, PosthasteError } from '@posthaste/core'
import t from 'tap'
import { functionOf, startDoors, startFunction } from './door-setting.js'
import { exchangeRaw, parseRaw } from './setting.js'

const EVENT = { 'x-amz-invocation-type': 'Event' }
const pathOf = (name: string): string => `/2015-03-31/functions/${name}/invocations`

t.test('a function is called by its method, and its answer is as long as it is, whatever it says', async (t) => {
  const target = await startFunction(t, (_, response) => void response.writeHead(200, { 'content-length': 10 }).end())
  const { calls, url } = await startDoors(t, [functionOf(target, { method: 'HEAD' })])
  const answer = await fetch(url + pathOf('resize'), { method: 'POST', body: '{}' })
  t.strictSame([answer.status, await answer.text()], [200, ''])
  t.equal((await fetch(url + pathOf('resize'), { method: 'POST', headers: EVENT, body: '{}' })).status, 202)
  t.match(calls(), [{ method: 'HEAD', target: 'function://resize' }])
})

t.test('at once it takes what Lambda does or the function says, later what a record holds', async (t) => {
  const target = await startFunction(t, (request, response) => request.resume().once('end', () => response.end()))
  const functions = [functionOf(target), functionOf(target, { name: 'more', limits: { bodyBytes: 2 ** 40 } })]
  const { port, url } = await startDoors(t, functions)
  const send = async (name: string, headers: Record<string, string>, body: string): Promise<number> =>
    (await fetch(url + pathOf(name), { method: 'POST', headers, body })).status
  const large = JSON.stringify('x'.repeat(LIMITS.recordBytesMax))
  t.strictSame([await send('resize', {}, large), await send('resize', EVENT, large)], [200, 413])
  const larger = `${large}${' '.repeat(6 * 1024 * 1024)}`
  t.strictSame([await send('more', {}, larger), await send('resize', {}, larger)], [200, 413])
  const head = ['host: a', 'x-amz-invocation-type: Event', `content-length: ${2 ** 40}`, 'connection: close', '', '']
  const refused = await exchangeRaw(port, [`POST ${pathOf('more')} HTTP/1.1`, ...head].join('\r\n'))
  t.equal(parseRaw(refused).status, 413, 'before it is there')
})

t.test('errors that no client makes by himself have their names too', async (t) => {
  const append = async (): Promise<never> => {
    throw new PosthasteError('stream-unavailable', 'The stream is away.')
  }
  const invocations = { recordBytesMax: 1_000, append }
  const { url } = await startDoors(t, [functionOf('http://127.0.0.1:1/')], { invocations })
  const long = { ...EVENT, 'posthaste-depth': String(LIMITS.depthMax) }
  for (const [path, headers, status, type, fault] of [
    [pathOf('resize'), EVENT, 503, 'ServiceException', 'Server'],
    [pathOf('resize'), long, 400, 'RecursiveInvocationException', 'User'],
    [pathOf('resize:1:2'), EVENT, 404, 'ResourceNotFoundException', 'User'],
    ['/2015-03-31/functions/', {}, 404, 'UnknownOperationException', 'User'],
    ['/2021-11-15/functions/resize/response-streaming-invocations', {}, 404, 'UnknownOperationException', 'User'],
  ] as const) {
    const answer = await fetch(url + path, { method: 'POST', headers, body: '{}' })
    const { Message, Type, message } = (await answer.json()) as Record<string, string>
    t.strictSame([answer.status, answer.headers.get('x-amzn-errortype'), Type], [status, type, fault])
    t.match(message, /\w \w/)
    t.equal(Message, message)
    if (status === 503) t.equal(answer.headers.get('retry-after'), '1', 'the SDK waits as long')
  }
})

t.test('API Gateway: nothing that a request says changes of what its reply is made', async (t) => {
  const acceptBody = { at: '{path}', '{method}': ['{sourceIp} {id}'], none: '{constructor} {{path}}' }
  const { calls, port } = await startDoors(t, [functionOf('http://127.0.0.1:1/', { acceptBody })])
  const path = '/function/resize/"},"id":"{id}'
  const head = [`GET ${path} HTTP/1.1`, 'host: a', 'connection: close', 'invocationtype: Event', '', '']
  const { body, status } = parseRaw(await exchangeRaw(port, head.join('\r\n')))
  t.equal(status, 202)
  t.strictSame(JSON.parse(body), {
    at: path,
    '{method}': [`127.0.0.1 ${calls()[0]?.id}`],
    none: `{constructor} {${path}}`,
  })
})
