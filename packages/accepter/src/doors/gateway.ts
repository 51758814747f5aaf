import type { PosthasteError } from '@posthaste/core'
import { doubtOf } from '../unauthenticated.js'
import { LAMBDA_RETRY, TYPE_OF_DOUBT } from './aws.js'
import type { AtFunction, Door, DoorAnswer } from './door.js'
import type { Entrance } from './entrance.js'
import type { House } from './house.js'
import { awsSignature } from './signatures/aws-signature.js'

const NAME = 'gateway'

/** The URL of a function as AWS's API Gateway has it: any method, and later where the header `InvocationType: Event` says so. */
export const gateway: Door = {
  name: NAME,
  paths: [],
  firstParts: [],
  heeds: ['invocationtype'],
  atFunctions: { isMeant: ({ headers }) => headers.invocationtype === 'Event', handle },
  signatures: [awsSignature],
  fail,
}

const TYPES: Readonly<Record<number, string>> & Record<400 | 500, string> = {
  400: 'BadRequestException',
  401: 'UnauthorizedException',
  403: 'ForbiddenException',
  404: 'NotFoundException',
  413: 'RequestTooLargeException',
  429: 'TooManyRequestsException',
  500: 'InternalServerErrorException',
  503: 'ServiceUnavailableException',
}

function fail(error: PosthasteError, status: number): DoorAnswer {
  const { message } = error
  const doubt = doubtOf(error)
  // Who shows a token, or nothing, may be let in by an authorizer: that one says 401.
  const ofSignature = doubt && doubt !== 'missing' && doubt !== 'unknown-token' ? TYPE_OF_DOUBT[doubt] : undefined
  const type = ofSignature ?? TYPES[status] ?? (status < 500 ? TYPES[400] : TYPES[500])
  return { status: ofSignature ? 403 : status, headers: { 'x-amzn-errortype': type }, body: { message } }
}

async function handle(entrance: Entrance, house: House, { fn, method, rest }: AtFunction): Promise<DoorAnswer> {
  const order = await entrance.order(fn, rest, ['invocationtype'])
  const { call } = await house.accept(entrance, { ...order, retry: LAMBDA_RETRY })
  const values = new Map(Object.entries({ id: call.id, path: entrance.path, method, sourceIp: entrance.request.ip }))
  const body = filled(fn.acceptBody ?? BODY, values)
  const isText = typeof body === 'string'
  return {
    status: fn.acceptStatus,
    headers: { 'x-amzn-requestid': call.id, 'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json' },
    body: isText ? body : JSON.stringify(body),
  }
}

/** As in the example of AWS. */
const BODY = {
  api_request_id: '{id}',
  api_resource_path: '{path}',
  http_method: '{method}',
  source_ip: '{sourceIp}',
  asynchronous_invocation: 'true',
  message: 'Event received. Check queue/logs for status',
}

/** A text, or a JSON value, with what stands for names in braces. */
function filled(template: unknown, values: ReadonlyMap<string, string>): unknown {
  if (typeof template === 'string') return template.replace(/\{(\w+)\}/g, (all, name) => values.get(name) ?? all)
  if (Array.isArray(template)) return template.map((one) => filled(one, values))
  if (typeof template !== 'object' || template === null) return template
  return Object.fromEntries(Object.entries(template).map(([name, one]) => [name, filled(one, values)]))
}
