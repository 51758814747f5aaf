import { type Client, KEYS } from './marked-site.js'
import { CONFIGURED, CONTENT, UNKEPT } from './marks.js'
import { signedByAlibaba, signedByAws } from './signing.js'

const LAMBDA = '/2015-03-31/functions/marked/invocations'
const TASKS = '/2023-03-30/functions/marked/async-tasks'
const FC = '/2023-03-30/functions/marked/invocations'
const EVENT = { 'x-amz-invocation-type': 'Event', 'content-type': 'application/json' }
const TASK = { 'x-fc-invocation-type': 'Async', 'x-fc-async-task-id': 'marked', 'x-fc-async-delay': '3600' }
const IDS = ['x-amzn-requestid', 'x-fc-request-id', 'x-call-id', 'location']

/** Where is shown what came by front doors. */
export const DOOR_PATHS = [`${TASKS}?includePayload=true`, `${TASKS}/marked`]

const basic = (token: string) => ({ authorization: `Basic ${Buffer.from(`any:${token}`).toString('base64')}` })

/** Has calls made by front doors, in each way in which somebody can say who he is, and returns their ids. */
export async function useDoors(client: Client): Promise<string[]> {
  const body = JSON.stringify({ say: CONTENT.body, card: CONTENT.card })
  const asked: [path: string, headers: Record<string, string>][] = [
    ['/async-function/marked', basic(CONFIGURED.token)],
    [`/call?to=function://marked&token=${CONFIGURED.token}`, { authorization: '' }],
    ...KEYS.map(
      (key) => [LAMBDA, signedByAws({ url: client.url + LAMBDA, headers: EVENT, body }, key)] as [string, typeof EVENT],
    ),
    [FC, signedByAlibaba({ url: client.url + FC, headers: TASK, body }, KEYS[0] as (typeof KEYS)[0])],
  ]
  const ids: string[] = []
  for (const [path, headers] of asked) {
    const answer = await client.fetch('POST', path, body, headers)
    if (answer.status !== 202) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    const id = IDS.map((name) => answer.headers.get(name)).find((value) => value)
    ids.push((id as string).replace('/invocations/', ''))
  }
  const now = await client.ask('POST', '/function/marked', { say: UNKEPT.sentAtOnce }, basic(CONFIGURED.token))
  const failed = await client.ask('POST', '/function/gone', { say: UNKEPT.sentAtOnce })
  if (now.status !== 200 || failed.status !== 502) throw new Error(`At once: ${now.text}, ${failed.text}`)
  for (const id of ids.slice(0, -1)) {
    const { state } = await client.ended(id)
    if (state !== 'succeeded') throw new Error(`${id} ${state}`)
  }
  return ids
}

/** What is refused at front doors, with marks that no answer may have. */
export function doorMistakes({ url }: Client): Parameters<Client['ask']>[] {
  const { refusedBody, refusedHeader, wrongToken } = UNKEPT
  const wrong = { id: 'keyByValue', secret: wrongToken }
  const other = { id: wrongToken, secret: CONFIGURED.keyByValue }
  const event = { url: url + LAMBDA, headers: EVENT, body: '{}' }
  const to = encodeURIComponent(`ftp://a.example/?sig=${refusedBody}`)
  return [
    ['POST', '/function/marked', refusedBody, basic(wrongToken)],
    ['POST', `/call?to=function://marked&token=${wrongToken}`, refusedBody, { authorization: '' }],
    ['POST', `/call?to=${to}`, refusedBody],
    ['POST', `/call?to=function://marked&header.a=${refusedHeader}%0a`, refusedBody],
    ['POST', `/call?to=function://marked&delay=${refusedHeader}`, refusedBody],
    ['POST', '/async-function/marked', refusedBody, { 'x-callback-url': `http://[${refusedHeader}` }],
    ['POST', '/function/marked/async', refusedBody, { 'x-callback-url': `http://a:${refusedHeader}@a.example/` }],
    ['POST', LAMBDA, refusedBody, EVENT],
    ['POST', LAMBDA, '{}', signedByAws(event, wrong)],
    ['POST', LAMBDA, '{}', signedByAws(event, other)],
    ['POST', LAMBDA, '{}', { ...signedByAws(event, wrong), 'x-amz-date': refusedHeader }],
    ['POST', FC, refusedBody, { ...TASK, 'x-fc-async-delay': refusedHeader }],
    ['POST', FC, '{}', signedByAlibaba({ url: url + FC, headers: TASK, body: '{}' }, wrong)],
    ['GET', `${TASKS}?nextToken=${refusedBody}`],
    ['GET', `${TASKS}?status=${refusedBody}`],
  ]
}
