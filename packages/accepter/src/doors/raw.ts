import { receiptOf } from '../intake.js'
import { failPlainly } from './direct.js'
import type { Door, DoorAnswer } from './door.js'
import type { Entrance } from './entrance.js'
import type { House } from './house.js'
import { Saying } from './saying.js'

/**
 * Our own way in for senders that can set neither headers nor JSON: what they send is the body, and all else may stand in
 * the URL.
 */
export const raw: Door = {
  name: 'raw',
  firstParts: ['call'],
  paths: [
    {
      pattern: /^\/call$/,
      methods: ['POST'],
      scope: 'invoke',
      takesTokenInQuery: true,
      handle(entrance, house) {
        const saying = new Saying()
        saying.addQuery(entrance.query)
        return take(entrance, house, saying)
      },
    },
    {
      pattern: /^\/call\/(?<url>.+)$/,
      methods: ['POST'],
      scope: 'invoke',
      handle(entrance, house, { url = '' }) {
        const saying = new Saying()
        saying.setTarget(urlOf(url, entrance.search))
        return take(entrance, house, saying)
      },
    },
  ],
  fail: failPlainly,
}

async function take(entrance: Entrance, house: House, saying: Saying): Promise<DoorAnswer> {
  saying.addHeaders(entrance.request.headers)
  const instruction = saying.instruction(entrance.passedHeaders(['idempotency-key']))
  const body = await entrance.body()
  // What else is in the headers may differ from one try of a sender to the next.
  const payload = () => ({ ...instruction, headers: undefined, body: body.toString('base64') })
  const sameness = entrance.sameness(payload, saying.idempotencyKey)
  const { call, isNew } = await house.accept(entrance, { instruction, body, ...sameness })
  return {
    status: 202,
    headers: { location: `/invocations/${call.id}`, ...(!isNew && { 'idempotency-replayed': 'true' }) },
    body: receiptOf(call),
  }
}

/** As it stands there, or encoded as one part of a path. The query of the request is the target's. */
function urlOf(text: string, search: string): string {
  if (/^\w+:\//.test(text)) return text + search
  const url = decodeURIComponent(text)
  return url.includes('?') ? url + search.replace('?', '&') : url + search
}
