import { EgressPolicy, functionMapOf, type Scope } from '@posthaste/core'
import type { Test } from 'tap'
import { DOOR_NAMES } from '../src/doors/doors.js'
import type { AccepterOptions, Credentials } from '../src/index.js'
import { functionOf, startFunction } from './door-setting.js'
import { startOne } from './installation.js'

// Every path and every mark of every door, and how it is told there that somebody may not.

export type Form = 'text' | 'problem' | 'aws' | 'gateway' | 'alibaba' | 'alibaba2016'
export type Refusal = 'missing' | 'unknown' | 'forbidden'

export interface Path {
  readonly path: string
  readonly method: string
  readonly headers?: Readonly<Record<string, string>>
  readonly scope: Scope
  readonly form: Form
  /** What whoever may is answered. */
  readonly granted: number
}

const TO = encodeURIComponent('https://api.example.com/')
export const V3 = '/2023-03-30/functions/resize'
export const V2 = '/services/shop/functions/resize'
export const TASKS = 'stateful-async-invocations'
export const LATER = { 'x-fc-invocation-type': 'Async' }

function path(line: string, scope: Scope, form: Form, granted: number, headers: Path['headers'] = {}): Path {
  const [method = '', url = ''] = line.split(' ')
  return { method, path: url, scope, form, granted, headers }
}

export const PATHS: readonly Path[] = [
  path('POST /async-function/resize', 'invoke', 'text', 202),
  path('POST /async-function/resize/a?b=c', 'invoke', 'text', 202),
  path('DELETE /async-function/nothing', 'control', 'text', 404),
  path('DELETE /async-function/resize/nothing', 'control', 'text', 404),
  path('POST /function/resize/async', 'invoke', 'problem', 202),
  path('PUT /square/2/async', 'invoke', 'problem', 202),
  path('POST /2015-03-31/functions/resize/invocations', 'invoke', 'aws', 200),
  path('POST /2015-03-31/functions/resize/invocations', 'invoke', 'aws', 202, { 'x-amz-invocation-type': 'Event' }),
  path('POST /2015-03-31/functions/resize/invocations', 'invoke', 'aws', 204, { 'x-amz-invocation-type': 'DryRun' }),
  path('POST /2014-11-13/functions/resize/invoke-async/', 'invoke', 'aws', 202),
  path('GET /square/2', 'invoke', 'gateway', 202, { invocationtype: 'Event' }),
  path('POST /function/resize', 'invoke', 'gateway', 202, { invocationtype: 'Event' }),
  path('POST /function/resize', 'invoke', 'alibaba', 202, LATER),
  path('GET /square/2', 'invoke', 'alibaba', 200, { 'x-fc-invocation-type': 'Sync' }),
  path(`POST ${V3}/invocations`, 'invoke', 'alibaba', 200),
  path(`POST ${V3}/invocations`, 'invoke', 'alibaba', 202, LATER),
  path(`GET ${V3}/async-tasks`, 'read', 'alibaba', 200),
  path(`GET ${V3}/async-tasks/nothing`, 'read', 'alibaba', 404),
  path(`PUT ${V3}/async-tasks/nothing/stop`, 'control', 'alibaba', 404),
  path(`POST /2021-04-06${V2}/invocations`, 'invoke', 'alibaba', 202, LATER),
  path(`GET /2021-04-06${V2}/${TASKS}`, 'read', 'alibaba', 200),
  path(`GET /2021-04-06${V2}/${TASKS}/nothing`, 'read', 'alibaba', 404),
  path(`PUT /2021-04-06${V2}/${TASKS}/nothing`, 'control', 'alibaba', 404),
  path(`POST /2016-08-15${V2}/invocations`, 'invoke', 'alibaba2016', 202, LATER),
  path(`PUT /2016-08-15${V2}/${TASKS}/nothing`, 'control', 'alibaba2016', 404),
  path('POST /2016-08-15/proxy/shop/resize/a', 'invoke', 'alibaba2016', 200),
  path('GET /2023-03-30/triggers', 'read', 'alibaba', 400),
  path('POST /function/resize', 'invoke', 'problem', 202, { prefer: 'respond-async' }),
  path('GET /function/resize/a?b=c', 'invoke', 'problem', 200),
  path('DELETE /square', 'invoke', 'problem', 200),
  path(`POST /call?to=${TO}`, 'invoke', 'problem', 202),
  path('POST /call?to=function://resize', 'invoke', 'problem', 202),
  path('POST /call/https://api.example.com/', 'invoke', 'problem', 202),
]

export const FORMS: Readonly<Record<Form, Readonly<Record<Refusal, readonly [status: number, name: string]>>>> = {
  text: { missing: [401, 'text'], unknown: [401, 'text'], forbidden: [403, 'text'] },
  problem: { missing: [401, 'unauthenticated'], unknown: [401, 'unauthenticated'], forbidden: [403, 'forbidden'] },
  aws: {
    missing: [403, 'MissingAuthenticationTokenException'],
    unknown: [403, 'UnrecognizedClientException'],
    forbidden: [403, 'AccessDeniedException'],
  },
  gateway: {
    missing: [401, 'UnauthorizedException'],
    unknown: [401, 'UnauthorizedException'],
    forbidden: [403, 'ForbiddenException'],
  },
  alibaba: {
    missing: [400, 'MissingRequiredHeader'],
    unknown: [403, 'InvalidAccessKeyID'],
    forbidden: [403, 'AccessDenied'],
  },
  alibaba2016: {
    missing: [400, 'MissingRequiredHeader'],
    unknown: [403, 'InvalidAccessKeyID'],
    forbidden: [403, 'AccessDenied'],
  },
}

/** By what an answer is known in each form. */
export async function nameOf(form: Form, answer: Response): Promise<unknown> {
  const text = await answer.text()
  if (form === 'text')
    return answer.headers.get('content-type')?.startsWith('text/plain') && text !== '' ? 'text' : text
  const body = JSON.parse(text) as Record<string, string>
  if (form === 'problem') return body.code
  if (form === 'alibaba') return body.Message && body.RequestId && body.Code
  if (form === 'alibaba2016') return body.ErrorMessage && body.ErrorCode
  return (form === 'aws' ? body.Message && body.Type : body.message) && answer.headers.get('x-amzn-errortype')
}

/** An accepter with all doors, and two functions. */
export async function startForAll(t: Test, credentials: Credentials, more: Partial<AccepterOptions> = {}) {
  const called: string[] = []
  const target = await startFunction(t, ({ method, url }, response) => {
    called.push(`${method} ${url}`)
    response.end('{}')
  })
  const functions = [functionOf(target, { routes: ['/square'] }), functionOf(target, { name: 'other' })]
  const map = functionMapOf(functions)
  const doors = { functions: () => map, doors: DOOR_NAMES.map((name) => ({ name, prefix: '' })) }
  const egress = new EgressPolicy({}, () => map)
  return { called, ...(await startOne(t, { doors, egress, credentials, ...more })) }
}
