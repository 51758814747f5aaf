import { createId, PosthasteError, type RetryPolicy, templateOf } from '@posthaste/core'
import { AT_ONCE } from './direct.js'
import type { Door, DoorAnswer } from './door.js'
import type { Entrance } from './entrance.js'
import type { House } from './house.js'

const NAME = 'openfaas'
/** As the system's own queue worker tries again. */
const RETRY: Partial<RetryPolicy> = {
  maxAttempts: 10,
  initialDelayMs: 10_000,
  factor: 2,
  maxDelayMs: 120_000,
  jitter: 'none',
  statuses: ['408', '429', '500', '502', '504'],
}
const NANOSECONDS_PER_MS = 1_000_000n
/** What an instruction calls it, where an error says what is wrong with it. */
const CALLBACK_FIELD = /^\/forwardTo(\/url)?(?=:)/

/** OpenFaaS: asynchronous calls with callbacks. Synchronous ones, `/function/NAME`, are as with any other. */
export const openfaas: Door = {
  name: NAME,
  firstParts: ['async-function'],
  heeds: ['x-callback-url'],
  paths: [
    {
      pattern: /^\/async-function\/(?<name>[^/]+)(?<rest>\/.*)?$/,
      methods: ['POST'],
      scope: 'invoke',
      handle: (entrance, house, { name = '', rest = '' }) => invoke(entrance, house, name, rest),
    },
    {
      // By the id alone, or as it was once: behind the name of the function.
      pattern: /^\/async-function\/((?<name>[^/]+)\/)?(?<id>[^/]+)\/?$/,
      methods: ['DELETE'],
      scope: 'control',
      handle: (entrance, house, { id = '', name }) => cancel(entrance, house, decodeURIComponent(id), name),
    },
  ],
  atFunctions: AT_ONCE,
  fail: ({ message }, status) => ({
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: message.replace(CALLBACK_FIELD, 'X-Callback-Url'),
  }),
}

async function invoke(entrance: Entrance, house: House, name: string, rest: string): Promise<DoorAnswer> {
  const fn = house.functionFor(name, NAME)
  const id = createId(entrance.nowMs)
  const callId = entrance.idOf('X-Call-Id') ?? id
  const given = headersOf(callId, entrance.nowMs)
  const order = await entrance.order(fn, rest, ['x-callback-url'])
  const { call } = await house.accept(entrance, {
    ...order,
    id,
    retry: RETRY,
    instruction: {
      ...order.instruction,
      headers: { ...order.instruction.headers, ...given },
      ...(callId !== id && { correlationId: callId }),
      ...callbackOf(entrance, name, given),
    },
  })
  // It may be one that came before, under the same key.
  return { status: fn.acceptStatus, headers: headersOf(call.correlationId ?? call.id, call.acceptedAtMs) }
}

function headersOf(callId: string, acceptedAtMs: number) {
  return { 'x-call-id': callId, 'x-start-time': String(BigInt(acceptedAtMs) * NANOSECONDS_PER_MS) }
}

/** The end of the call, to be told as the queue worker tells it. */
function callbackOf(entrance: Entrance, name: string, given: ReturnType<typeof headersOf>) {
  const url = entrance.header('x-callback-url')
  if (!url) return {}
  if (!/^https?:\/\//i.test(url)) throw new PosthasteError('invalid-url', 'X-Callback-Url is not an http or https URL.')
  const headers = {
    'x-call-id': templateOf(given['x-call-id']),
    'x-start-time': given['x-start-time'],
    'x-function-name': name,
    'x-function-status': '{status|503}',
    'x-duration-seconds': '{durationSeconds|0.000000}',
  }
  return { forwardTo: { url, headers, passHeaders: true } }
}

async function cancel(entrance: Entrance, house: House, callId: string, name?: string): Promise<DoorAnswer> {
  const { id } = await house.find(entrance, callId, name)
  await house.cancel(entrance, id, 0)
  return { status: 202 }
}
