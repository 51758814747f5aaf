import type { Test } from 'tap'
import { DOOR_PATHS, doorMistakes, useDoors } from './marked-doors.js'
import { Client, type MarkedSite } from './marked-site.js'
import { CONFIGURED, CONTENT, CREDENTIALS, found, LOGGED, NOWHERE, UNKEPT } from './marks.js'
import { TargetServer } from './target-server.js'

/** A target that answers with marks. */
export async function startMarkedTarget(t: Test): Promise<TargetServer> {
  const target = await TargetServer.start(({ path }, { headers: { 'x-by-env': byEnv, 'x-by-file': byFile } }) => {
    if (path.startsWith('/function')) {
      const isTold = byEnv === CONFIGURED.functionHeaderByEnv && byFile === CONFIGURED.functionHeaderByFile
      return { status: isTold ? 200 : 500 }
    }
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
    ids = [...(await use(client, target)), ...(await useDoors(client))]
    const shown = await look(t, client, ids)
    t.strictSame(found({ ...NOWHERE, card: CONTENT.card }, shown), [], 'what is shown')
    t.ok(shown.includes(CONTENT.header), 'a header that is no secret is shown')
    t.ok(shown.includes(CONTENT.targetQuery), 'and a query')
    t.ok(shown.includes(CONTENT.body), 'and what a task has')
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
  await target.until(({ arrivals }) => paths.every((path) => arrivals.some((one) => one.path.startsWith(path))), 60_000)
  return [...ended, deferred, moved, cancelled, retried]
}

/** All that is shown. */
async function look(t: Test, client: Client, ids: readonly string[]): Promise<string> {
  const ofCalls = [...ids.map((id) => `/invocations/${id}`), '/invocations', '/schedules']
  const paths = [
    ...ofCalls,
    ...DOOR_PATHS,
    '/metrics',
    '/stats',
    '/readyz',
    '/livez',
    '/openapi.json',
    '/cycle?wait=0s',
  ]
  const answers = await Promise.all(paths.map((path) => client.ask('GET', path)))
  for (const [index, { status, text }] of answers.entries()) t.ok(status < 300, `${paths[index]} ${status} ${text}`)
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
  const answers = await Promise.all([...asked, ...doorMistakes(client)].map((one) => client.ask(...one)))
  for (const { status, text } of answers) t.ok(status >= 400 && status < 500, `${status} ${text}`)
  return answers.map(({ text }) => text).join('\n')
}
