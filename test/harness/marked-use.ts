import type { Test } from 'tap'
import { Client, CONFIGURED, type MarkedSite, mark } from './marked-site.js'
import { TargetServer } from './target-server.js'

/** What is never shown, and not kept in the clear where there are keys. */
export const CREDENTIALS = { authorization: mark(), apiKey: mark(), tokenInQuery: mark(), forwardToken: mark() }
/** What is shown to whoever may see the call, and not kept in the clear where there are keys. */
export const CONTENT = {
  ...{ header: mark(), query: mark(), body: mark(), base64Body: mark(), responseHeader: mark(), responseBody: mark() },
  ...{ deadBody: mark(), deferredBody: mark(), cancelledBody: mark(), movedBody: mark(), scheduleBody: mark() },
  ...{ retriedBody: mark(), batchBody: mark(), claimedBody: mark(), card: mark(), targetQuery: mark() },
  ...{ forwardQuery: mark(), destinationQuery: mark() },
}
/** The same, but for the log, which has it. */
export const LOGGED = { correlationId: mark(), path: mark() }
/** What is kept by nobody. */
export const UNKEPT = {
  redacted: mark(),
  idempotencyKey: mark(),
  refusedHeader: mark(),
  refusedBody: mark(),
  wrongToken: mark(),
}
/** What is neither shown nor told. */
export const NOWHERE = { ...CREDENTIALS, ...UNKEPT, ...CONFIGURED }
/** What is not kept in the clear where there are keys. */
export const SEALED = { ...NOWHERE, ...CONTENT, ...LOGGED }

/** The names of those marks that stand in a text, or in what is kept. */
export function found(marks: Readonly<Record<string, string>>, text: { includes(part: string): boolean }): string[] {
  return Object.keys(marks).filter((name) => text.includes(marks[name] as string))
}

/** A target that answers with marks. */
export async function startMarkedTarget(t: Test): Promise<TargetServer> {
  const target = await TargetServer.start(({ path }) => {
    const headers = { 'content-type': 'application/json', 'x-of-target': CONTENT.responseHeader }
    const body = JSON.stringify({ told: CONTENT.responseBody, card: UNKEPT.redacted })
    if (path.startsWith('/bad')) return { status: 400, headers, body }
    return path.startsWith('/busy') ? { status: 503, headers, body } : { headers, body }
  })
  t.teardown(() => target.stop())
  return target
}

/**
 * Runs a process, has all kinds of things done, and `more`, and looks at what is shown and logged of them. Returns the ids
 * of some, first one that succeeded.
 */
export async function useAndLook(
  t: Test,
  site: MarkedSite,
  target: TargetServer,
  keys: string | undefined,
  more: (client: Client) => Promise<void> = async () => undefined,
): Promise<string[]> {
  let ids: string[] = []
  await site.run('start', keys, async (posthaste) => {
    await posthaste.ready()
    const client = new Client(posthaste)
    ids = await use(client, target)
    const shown = await look(client, ids)
    t.strictSame(found(NOWHERE, shown), [], 'what is shown')
    t.ok(shown.includes(CONTENT.header), 'a header that is no secret is shown')
    t.ok(shown.includes(CONTENT.targetQuery), 'and a query')
    t.strictSame(found({ ...NOWHERE, ...CONTENT }, await mistakes(t, client, target)), [], 'answers to mistakes')
    await more(client)
  })
  const said = site.said.join('\n')
  t.strictSame(found({ ...NOWHERE, ...CONTENT }, said), [], 'what is logged')
  t.strictSame(found(LOGGED, said), Object.keys(LOGGED))
  t.match(said, /attempt succeeded/)
  return ids
}

/** Has all kinds of things done, and returns their ids. */
async function use(client: Client, target: TargetServer): Promise<string[]> {
  const url = `${target.url}/good/${LOGGED.path}`
  const { authorization, apiKey, forwardToken, tokenInQuery } = CREDENTIALS
  const headers = { authorization: `Bearer ${authorization}`, 'x-api-key': apiKey, 'x-note': CONTENT.header }
  const ended = await Promise.all([
    client.post({
      ...{ target: `${url}?token=${tokenInQuery}&for=${CONTENT.targetQuery}`, query: { q: CONTENT.query }, headers },
      ...{ body: { say: CONTENT.body, card: CONTENT.card }, correlationId: LOGGED.correlationId },
      forwardTo: `${target.url}/forward?token=${forwardToken}&for=${CONTENT.forwardQuery}`,
      onSuccess: `${target.url}/success?for=${CONTENT.destinationQuery}`,
    }),
    client.post({ target: url, body: Buffer.from(CONTENT.base64Body).toString('base64'), bodyEncoding: 'base64' }),
    client.post({ target: `${target.url}/bad`, body: { a: CONTENT.deadBody }, onFailure: `${target.url}/failure` }),
    client.post({ target: url, body: { a: CONTENT.claimedBody } }, { 'idempotency-key': UNKEPT.idempotencyKey }),
  ])
  const put = { delay: '1h' }
  const deferred = await client.post({ target: url, body: { a: CONTENT.deferredBody }, ...put })
  const moved = await client.post({ target: url, body: { a: CONTENT.movedBody }, ...put })
  const cancelled = await client.post({ target: url, body: { a: CONTENT.cancelledBody }, ...put })
  const busy = { target: `${target.url}/busy`, retry: { initialDelay: '1h', maxDelay: '1h', jitter: 'none' } }
  const retried = await client.post({ ...busy, body: { a: CONTENT.retriedBody } })
  const batch = [{ target: url, body: { a: CONTENT.batchBody }, ...put }]
  await client.ask('POST', '/invocations/batch', { invocations: batch })
  const instruction = { target: url, body: { a: CONTENT.scheduleBody } }
  await client.ask('POST', '/schedules', { every: '1h', instruction })
  await client.ask('PATCH', `/invocations/${moved}`, { delay: '2h' })
  await client.ask('DELETE', `/invocations/${cancelled}`)
  await Promise.all([...ended, cancelled].map((id) => client.ended(id)))
  const paths = ['/busy', '/forward', '/success', '/failure']
  await target.until(({ arrivals }) => paths.every((path) => arrivals.some((one) => one.path.startsWith(path))), 30_000)
  return [...ended, deferred, moved, cancelled, retried]
}

/** All that is shown. */
async function look(client: Client, ids: readonly string[]): Promise<string> {
  const ofCalls = [...ids.map((id) => `/invocations/${id}`), '/invocations', '/schedules']
  const paths = [...ofCalls, '/metrics', '/stats', '/readyz', '/livez', '/openapi.json', '/cycle?wait=0s']
  const answers = await Promise.all(paths.map((path) => client.ask('GET', path)))
  return answers.map(({ text }) => text).join('\n')
}

/** What is answered to requests with mistakes. */
async function mistakes(t: Test, client: Client, target: TargetServer): Promise<string> {
  const { idempotencyKey, refusedBody, refusedHeader, wrongToken } = UNKEPT
  const asked: Parameters<Client['ask']>[] = [
    ['POST', '/invocations', `{"target": "${refusedBody}`],
    ['POST', '/invocations', `{"target": ${refusedBody}}`],
    ['POST', '/invocations', { target: target.url, headers: { 'x-a': `${refusedHeader}\n` } }],
    ['POST', '/invocations', { target: `http://user:${refusedBody}@a.example/` }],
    ['POST', '/invocations', { target: `ftp://a.example/?sig=${refusedBody}` }],
    ['POST', '/invocations', { target: target.url, body: `${refusedBody}!`, bodyEncoding: 'base64' }],
    ['POST', '/invocations', { target: target.url, timeout: refusedBody }],
    ['POST', '/invocations', { target: target.url, body: 'other' }, { 'idempotency-key': idempotencyKey }],
    ['GET', `/invocations?cursor=${refusedBody}`],
    ['GET', '/invocations', undefined, { authorization: `Bearer ${wrongToken}` }],
    ['GET', `/cycle?key=${wrongToken}`, undefined, { authorization: '' }],
  ]
  const answers = await Promise.all(asked.map((one) => client.ask(...one)))
  for (const { status, text } of answers) t.ok(status >= 400 && status < 500, `${status} ${text}`)
  return answers.map(({ text }) => text).join('\n')
}
