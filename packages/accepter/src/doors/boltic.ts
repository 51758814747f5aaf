import { createId, templateOf } from '@posthaste/core'
import { failPlainly } from './direct.js'
import type { AtFunction, Door, DoorAnswer } from './door.js'
import type { Entrance } from './entrance.js'
import type { House } from './house.js'

const NAME = 'boltic'
/** What the URL of a function ends with where it is to be called later. */
const SUFFIX = /\/async\/?$/
/** `resize`, `/function/resize/a/async?b=c` or `function://resize/a`; no URL else. */
const FUNCTION = /^(?:function:\/\/|\/?function\/|\/)?([^/?:]+)(\/[^?]*?)??(?:\/async\/?)?(\?.*)?$/
const TAKEN_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE']

/** Boltic: the URL of a function with `/async` behind it, by any method but GET. */
export const boltic: Door = {
  name: NAME,
  paths: [],
  firstParts: [],
  heeds: ['x-callback-url'],
  atFunctions: { isMeant: ({ rest }) => SUFFIX.test(rest), methods: TAKEN_METHODS, handle },
  fail: failPlainly,
}

async function handle(entrance: Entrance, house: House, { fn, rest }: AtFunction): Promise<DoorAnswer> {
  const id = createId(entrance.nowMs)
  const requestId = entrance.idOf('X-Request-Id') ?? id
  const order = await entrance.order(fn, rest.replace(SUFFIX, ''), ['x-callback-url'])
  const { call } = await house.accept(entrance, {
    ...order,
    id,
    instruction: {
      ...order.instruction,
      headers: { ...order.instruction.headers, 'x-request-id': requestId },
      ...(requestId !== id && { correlationId: requestId }),
      ...callbackOf(entrance, house, fn.name, requestId),
    },
  })
  // It may be one that came before, under the same key.
  return { status: fn.acceptStatus, headers: { 'x-request-id': call.correlationId ?? call.id } }
}

/** The end of the call, told to a URL, or to another function. */
function callbackOf(entrance: Entrance, house: House, name: string, requestId: string) {
  const given = entrance.header('x-callback-url')
  if (!given) return {}
  const headers = {
    'x-request-id': templateOf(requestId),
    'x-duration-seconds': '{durationSeconds|0.000000}',
    'x-serverless-status': '{status|503}',
    'x-serverless-id': name,
  }
  return { forwardTo: { url: callbackUrl(given, house), headers } }
}

/** A URL; or the name of a function, or its path, with `/async` behind it or without: it is called later in any case. */
function callbackUrl(given: string, house: House): string {
  const [, name, path = '', search = ''] = FUNCTION.exec(given) ?? []
  return name === undefined ? given : `function://${house.functionFor(name, NAME).name}${path}${search}`
}
