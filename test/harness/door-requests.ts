import type { Scope } from '@posthaste/core'
import fc from 'fast-check'
import type { Form } from './door-forms.js'
import { anyText, mostly } from './random-values.js'

/** Functions of the process that is asked, by what becomes of their calls at once. */
export const FUNCTIONS = { answering: ['good', 'refusing'], failing: ['gone', 'breaking', 'slow', 'odd'] }
/** Its answer is larger than what may be kept of it on its way. */
export const LARGE = 'large'
/** What else the URL of the first one is. */
export const ROUTE = '/shop'

/** How who asks says who he is. */
export type Shown = 'bearer' | 'basic' | 'query' | 'nothing' | 'noise' | Signing
export type Signing = 'aws' | 'acs' | 'fc'
/** What is wrong with a signature. */
export type Flaw = 'secret' | 'key' | 'time' | 'body' | 'path' | 'method' | 'end'

/** What clients of some system ask for. `{fn}`, `{rest}`, `{task}` and `{to}` in the path are filled in. */
interface DoorOperation {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly form: Form
  readonly scope: Scope
  readonly headers?: Readonly<Record<string, string>>
  /** How its system signs. */
  readonly signing?: Signing
}

export interface DoorRequest {
  readonly operation: DoorOperation
  readonly method: string
  readonly fn: string
  readonly rest: string
  readonly to: string
  readonly options: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly caller: number
  /** The number of somebody of whose tasks he asks for one; left out: one of his own. */
  readonly taskOf: number | undefined
  /** The number of that task. What is called later is one itself if this is even. */
  readonly task: number
  readonly shown: Shown
  readonly flaw: Flaw | undefined
}

const V3 = '/2023-03-30/functions/{fn}'
const V2 = '/2021-04-06/services/s.1/functions/{fn}'
const V1 = '/2016-08-15/services/s/functions/{fn}'
const LAMBDA = '/2015-03-31/functions/{fn}/invocations'
const STATEFUL = 'stateful-async-invocations'
const ASYNC = { 'x-fc-invocation-type': 'Async' }
const IN_AN_HOUR = { ...ASYNC, 'x-fc-async-delay': '3600' }

export const OPERATIONS: readonly DoorOperation[] = [
  operation('openfaas later', 'POST /async-function/{fn}{rest}', 'text', 'invoke'),
  operation('openfaas cancel', 'DELETE /async-function/{task}', 'text', 'control'),
  operation('openfaas cancel of one', 'DELETE /async-function/{fn}/{task}', 'text', 'control'),
  operation('at once', 'POST /function/{fn}{rest}', 'problem', 'invoke'),
  operation('at once by a route', `GET ${ROUTE}{rest}`, 'problem', 'invoke'),
  operation('boltic later', 'PUT /function/{fn}/async', 'problem', 'invoke'),
  operation('prefer', 'POST /function/{fn}{rest}', 'problem', 'invoke', { prefer: 'respond-async' }),
  operation('prefer, wait', `POST ${ROUTE}`, 'problem', 'invoke', { prefer: 'wait=1, respond-async' }),
  ...signed('aws', [
    operation('aws now', `POST ${LAMBDA}`, 'aws', 'invoke'),
    operation('aws later', `POST ${LAMBDA}?Qualifier=1`, 'aws', 'invoke', { 'x-amz-invocation-type': 'Event' }),
    operation('aws dry', `POST ${LAMBDA}`, 'aws', 'invoke', { 'x-amz-invocation-type': 'DryRun' }),
    operation('aws as before', 'POST /2014-11-13/functions/{fn}/invoke-async/', 'aws', 'invoke'),
    operation('gateway', `GET ${ROUTE}{rest}`, 'gateway', 'invoke', { invocationtype: 'Event' }),
  ]),
  ...signed('acs', [
    operation('alibaba now', `POST ${V3}/invocations`, 'alibaba', 'invoke'),
    operation('alibaba later', `POST ${V3}/invocations`, 'alibaba', 'invoke', IN_AN_HOUR),
    operation('alibaba trigger', 'POST /function/{fn}{rest}', 'alibaba', 'invoke', ASYNC),
    operation('alibaba list', `GET ${V3}/async-tasks?includePayload=true&limit=100`, 'alibaba', 'read'),
    operation('alibaba show', `GET ${V3}/async-tasks/{task}`, 'alibaba', 'read'),
    operation('alibaba stop', `PUT ${V3}/async-tasks/{task}/stop`, 'alibaba', 'control'),
  ]),
  ...signed('fc', [
    operation('alibaba 2 later', `POST ${V2}/invocations`, 'alibaba', 'invoke', ASYNC),
    operation('alibaba 2 list', `GET ${V2}/${STATEFUL}?sortOrderByTime=asc`, 'alibaba', 'read'),
    operation('alibaba 2 show', `GET ${V2}/${STATEFUL}/{task}`, 'alibaba', 'read'),
    operation('alibaba 1 later', `POST ${V1}/invocations`, 'alibaba2016', 'invoke', IN_AN_HOUR),
    operation('alibaba 1 stop', `PUT ${V1}/${STATEFUL}/{task}`, 'alibaba2016', 'control'),
    operation('alibaba 1 proxy', 'DELETE /2016-08-15/proxy/s/{fn}{rest}', 'alibaba2016', 'invoke'),
  ]),
  operation('raw', 'POST /call?to={to}', 'problem', 'invoke'),
  operation('raw by path', 'POST /call/{to}', 'problem', 'invoke'),
]

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const WITHOUT_BODY = ['GET', 'HEAD', 'DELETE', 'OPTIONS']
const NAMES = [...FUNCTIONS.answering, 'good', 'good', ...FUNCTIONS.failing, 'arn:aws:lambda:x:1:function:good']
const NO_NAMES = ['nothing', '__proto__', 'constructor', '%2e%2e', '%', '%c3%28', 'good%00', 'x'.repeat(300), '']
const RESTS = ['', '', '/x/y', '/', '/a%20b', '//']
const NO_RESTS = [
  '/../z',
  '/..%2fz',
  '/%',
  '/\\',
  '/%ff',
  '/'.repeat(300),
  `/${'y'.repeat(9_000)}`,
  '?%',
  '?__proto__=1',
]
/** Some of what a header may be where anybody looks at it. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  'x-callback-url': ['{target}/told', 'good/async', 'a', '/function/good', 'http://[', 'http://10.0.0.1/', ''],
  'x-request-id': ['1', '{x', '{id}', '\u00fc', 'x'.repeat(300)],
  'x-amz-client-context': ['e30=', 'x'.repeat(4_000)],
  'x-amz-invocation-type': ['Event', 'x', ''],
  'x-fc-async-delay': ['3600', '600', '1', '-1', '1e9'],
  'idempotency-key': ['"k"', 'k', '', '"', 'x'.repeat(500)],
  'content-type': ['application/json', 'text/plain', 'x', 'multipart/form-data', ''],
  'content-encoding': ['gzip'],
  'posthaste-delay': ['1h', 'x'],
  'posthaste-retry-max-attempts': ['2', '0', 'x'],
  'posthaste-depth': ['1', '8', '99', 'x'],
  connection: ['x-call-id', 'close', 'authorization', 'upgrade'],
  prefer: ['wait="', '"\\', 'respond-async-not;;=,'],
  origin: ['https://elsewhere.example.com'],
  expect: ['100-continue'],
  te: ['trailers'],
}
const OPTIONS = ['delay=1h', 'retry.maxAttempts=2', 'header.a=b', 'query.a=b', 'method=PUT', 'idempotencyKey=k'].concat(
  ['delay=x', 'header.a=%0d%0a', 'header.__proto__=1', 'forwardTo=::', 'nothing=1', 'forwardTo.header.x={no}', '%', ''],
)
const BODIES = ['{}', '{"a":1}', '', '[', 'null', '\0', 'x'.repeat(70_000)]
const SHOWN: readonly Shown[] = ['basic', 'query', 'nothing', 'noise', 'aws', 'acs', 'fc']
const FLAWS: readonly Flaw[] = ['secret', 'key', 'time', 'body', 'path', 'method', 'end']

/** Random requests for front doors: most nearly right, some not at all. */
export function randomDoorRequests(targetUrl: string): fc.Arbitrary<DoorRequest> {
  return fc.constantFrom(...OPERATIONS).chain((operation) => requestFor(operation, targetUrl))
}

function requestFor(operation: DoorOperation, targetUrl: string): fc.Arbitrary<DoorRequest> {
  const { headers: own = {}, method, signing } = operation
  const header = fc
    .constantFrom(...Object.keys(HEADERS))
    .chain((name) => fc.tuple(fc.constant(name), fc.constantFrom(...(HEADERS[name] as string[]))))
  const strays = fc.array(header, { maxLength: 3 }).map((pairs) => Object.fromEntries(pairs))
  const urls = ['function://good', 'function://good/a?b', `${targetUrl}/raw`]
  const noUrls = ['function://nothing', 'function://', 'http://10.0.0.1/', 'file:///x', '::', '%']
  const usual: fc.Arbitrary<Shown> = signing ? fc.constantFrom('bearer', signing) : fc.constant('bearer')
  return fc
    .record({
      operation: fc.constant(operation),
      method: mostly(fc.constant(method), fc.constantFrom(...METHODS)),
      fn: mostly(fc.constantFrom(...NAMES), fc.constantFrom(...NO_NAMES)),
      rest: mostly(fc.constantFrom(...RESTS), fc.constantFrom(...NO_RESTS)),
      to: mostly(fc.constantFrom(...urls), fc.constantFrom(...noUrls)),
      options: mostly(fc.constant([]), fc.array(fc.constantFrom(...OPTIONS), { maxLength: 3 })),
      headers: fc.oneof(fc.constant({}), fc.constant({}), strays),
      body: mostly(fc.constantFrom(...BODIES.slice(0, 3)), fc.oneof(fc.constantFrom(...BODIES), anyText)),
      caller: fc.nat(1_000),
      taskOf: fc.option(fc.nat(1_000), { nil: undefined, freq: 1 }),
      task: fc.nat(1_000),
      shown: mostly(usual, fc.constantFrom(...SHOWN)),
      flaw: mostly(fc.constant(undefined), fc.constantFrom(...FLAWS)),
    })
    .map((one) => ({
      ...one,
      headers: { ...filled(one.headers, targetUrl), ...own },
      body: WITHOUT_BODY.includes(one.method) ? undefined : one.body,
    }))
}

function filled(headers: Readonly<Record<string, string>>, targetUrl: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replace('{target}', targetUrl)]),
  )
}

function operation(
  name: string,
  line: string,
  form: Form,
  scope: Scope,
  headers: DoorOperation['headers'] = {},
): DoorOperation {
  const [method = '', path = ''] = line.split(' ')
  return { name, method, path, form, scope, headers }
}

function signed(signing: Signing, operations: readonly DoorOperation[]): DoorOperation[] {
  return operations.map((one) => ({ ...one, signing }))
}
