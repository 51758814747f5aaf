import { ERRORS, InstructionSchema } from '@posthaste/core'
import { Validator } from '@seriousme/openapi-schema-validator'
import fastify from 'fastify'
import t from 'tap'
import { raw } from '../src/doors/raw.js'
import type { AccepterOptions } from '../src/index.js'
import { openApiDocument } from '../src/openapi.js'
import type { Operation } from '../src/operation.js'
import { OPERATIONS } from '../src/operations.js'
import { addRoutes } from '../src/route-plan.js'
import { Routes } from '../src/routes.js'
import { Waits } from '../src/waits.js'
import { ask } from './api-client.js'
import { startOne } from './installation.js'
import { startAccepter } from './setting.js'

interface Document {
  readonly openapi: string
  readonly paths: Record<
    string,
    Record<string, { operationId: string; parameters: object[]; responses: object; security: object[] }>
  >
  readonly components: { schemas: Record<string, object>; securitySchemes: object }
}

const doors: Partial<AccepterOptions> = {
  cycle: { ping: async () => ({ drained: true }) },
  metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
  activity: async () => ({ rates: { acceptedPerSecond: 1.5, endedPerSecond: 0 }, listener: { cycle: 1 } }),
}

async function documentOf(url: string): Promise<Document> {
  const { headers, json, status } = await ask(url, 'getOpenApi')
  t.equal(status, 200)
  t.equal(headers.get('content-type'), 'application/json; charset=utf-8')
  return json
}

t.test('the document is valid OpenAPI 3.1', async (t) => {
  const { url } = await startOne(t, doors)
  const document = await documentOf(url)
  const validator = new Validator()
  const { errors, valid } = await validator.validate({ ...document })
  t.ok(valid, 'it is valid', { errors })
  t.equal(validator.version, '3.1')
  const without = structuredClone(document) as { info?: object }
  delete without.info
  t.notOk((await new Validator().validate(without)).valid, 'the validator sees what is wrong')
})

t.test('it tells of all that is served, and of nothing else', async (t) => {
  const { url } = await startOne(t, doors)
  const document = await documentOf(url)
  const told = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  t.strictSame(told.toSorted(), await servedBehindAllDoors())
  const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map((each) => each.operationId))
  t.strictSame(ids.toSorted(), Object.keys(OPERATIONS).toSorted(), 'with every door there is everything')
  for (const [name, { id }] of Object.entries(OPERATIONS)) t.equal(id, name)
  const bare = await documentOf((await startAccepter(t, { invocations: undefined as never })).url)
  t.strictSame(Object.keys(bare.paths), ['/livez', '/readyz', '/openapi.json'])
})

/** The routes that fastify has, but for those that it makes of others. */
async function servedBehindAllDoors(): Promise<string[]> {
  // Nothing is asked of a door until there is a request.
  const options = { ...doors, readiness: {}, invocations: {}, view: {} } as AccepterOptions
  const app = fastify()
  const served: string[] = []
  app.addHook('onRoute', ({ method, url }) => {
    if (method !== 'HEAD' && url !== '/*') served.push(`${String(method)} ${url.replace(/:(\w+)/g, '{$1}')}`)
  })
  app.removeAllContentTypeParsers()
  addRoutes(new Routes(app, { now: Date.now }), options, new Waits(1))
  await app.ready()
  await app.close()
  return [...served, ...servedRaw()].toSorted()
}

/** What raw mode serves, which is no route of fastify's but a door. */
function servedRaw(): string[] {
  return raw.paths.flatMap(({ methods, pattern, scope }) => {
    const told = Object.values(OPERATIONS).filter((each) => pattern.test(each.path) && each.scope === scope)
    return methods.flatMap((method) => told.map(({ path }) => `${method} ${path}`))
  })
}

t.test('what is checked is what the document says', async (t) => {
  const { paths, components } = openApiDocument(Object.values(OPERATIONS) as unknown as Operation[]) as Document
  const { $id: _, ...instruction } = JSON.parse(JSON.stringify(InstructionSchema))
  t.strictSame(components.schemas.Instruction, instruction)
  const text = JSON.stringify({ paths, components })
  t.notMatch(text, '$id')
  for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g))
    t.ok(components.schemas[name], `${name} is there`)
  for (const [, code = ''] of text.matchAll(/`([a-z-]+)`: /g)) t.ok(code in ERRORS, code)
  t.match(paths['/invocations']?.get?.parameters, [
    { name: 'state', in: 'query', explode: false, schema: { type: 'array' } },
    { name: 'target' },
    { name: 'correlationId' },
    { name: 'parent' },
    { name: 'createdAfter', schema: { format: 'date-time' } },
    { name: 'createdBefore' },
    { name: 'limit', schema: { type: 'integer', minimum: 1, maximum: 500 } },
    { name: 'cursor' },
  ])
})

t.test('it says what a caller must show', async (t) => {
  const { paths, components } = openApiDocument(Object.values(OPERATIONS) as unknown as Operation[]) as Document
  t.match(components.securitySchemes, {
    token: { type: 'http', scheme: 'bearer' },
    tokenAsPassword: { type: 'http', scheme: 'basic' },
    pingKey: { in: 'query', name: 'key' },
  })
  for (const { id, method, path, scope } of Object.values(OPERATIONS) as unknown as Operation[]) {
    const { responses, security } = paths[path]?.[method.toLowerCase()] ?? {}
    if (scope === 'open') t.strictSame(security, [], id)
    else t.match(security, [{ token: [scope] }, { tokenAsPassword: [scope] }], id)
    for (const status of ['401', '429']) t.equal(status in Object(responses), scope !== 'open', `${id} ${status}`)
  }
})

/** Of a batch some may be refused. */
function isRefusal(operationId: string, status: string): boolean {
  return ['429', '503'].includes(status) || (operationId === 'createInvocations' && status === '200')
}

t.test('what passes by itself says when to come again', async (t) => {
  const { paths } = openApiDocument(Object.values(OPERATIONS) as unknown as Operation[]) as Document
  for (const methods of Object.values(paths)) {
    for (const { operationId, responses } of Object.values(methods))
      for (const [status, { headers = {} }] of Object.entries(responses as Record<string, { headers?: object }>))
        t.equal('Retry-After' in headers, isRefusal(operationId, status), `${operationId} ${status}`)
  }
})

t.test('statistics are of the view, and of what only the process knows', async (t) => {
  const { url, view } = await startOne(t, doors)
  await view.until(() => view.asOfMs() > 0 || undefined, 10_000)
  const empty = (await ask(url, 'getStats')).json
  t.equal(empty.states.queued, 0)
  t.notOk('oldestWaiting' in empty || 'nextDueAt' in empty)
  const { id } = (await ask(url, 'createInvocation', { body: { target: 'http://a.example.com' } })).json
  await ask(url, 'getInvocation', { id })
  const { headers, json } = await ask(url, 'getStats')
  t.equal(headers.get('cache-control'), 'no-store')
  t.match(json, {
    states: { scheduled: 0, queued: 1, running: 0, retrying: 0, succeeded: 0, failed: 0, expired: 0, cancelled: 0 },
    pendingChanges: 0,
    oldestWaiting: { createdAt: /Z$/ },
    rates: { acceptedPerSecond: 1.5, endedPerSecond: 0 },
    listener: { cycle: 1 },
  })
  t.ok(json.oldestWaiting.ageMs >= 0)
  t.ok(json.view.behindMs >= 0)
})

t.test('measures are served as they are', async (t) => {
  const { url } = await startOne(t, doors)
  const { headers, status, text } = await ask(url, 'getMetrics')
  t.equal(status, 200)
  t.equal(headers.get('content-type'), 'text/plain; version=0.0.4')
  t.equal(headers.get('cache-control'), 'no-store')
  t.equal(text, 'up 1\n')
})

t.test('who probes may add to the query and send a body', async (t) => {
  const { url } = await startOne(t, doors)
  for (const path of ['/livez?x=1', '/readyz?x', '/cycle?x=1&wait=1s', '/metrics?name[]=up', '/openapi.json?x'])
    t.equal((await fetch(url + path)).status, 200, path)
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: 'no JSON' }
  t.equal((await fetch(`${url}/cycle`, init)).status, 200)
})
