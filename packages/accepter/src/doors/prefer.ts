import { type Invocation, isFinalState, type KeptResponse, LIMITS, PosthasteError } from '@posthaste/core'
import { receiptOf } from '../intake.js'
import { failPlainly } from './direct.js'
import type { AtFunction, Door, DoorAnswer } from './door.js'
import type { Entrance } from './entrance.js'
import type { House } from './house.js'
import { passesOn } from './passed-headers.js'

/** There are no others in HTTP; a function may make one up. */
const STATUS_MAX = 599

/** RFC 7240: `Prefer: respond-async`, and with `wait=N` an answer at once if it is there within so many seconds. */
export const prefer: Door = {
  name: 'prefer',
  paths: [],
  firstParts: [],
  heeds: ['prefer'],
  atFunctions: { isMeant: ({ headers }) => preferencesOf(headers.prefer).has('respond-async'), handle },
  fail: failPlainly,
}

async function handle(entrance: Entrance, house: House, { fn, rest }: AtFunction): Promise<DoorAnswer> {
  const { call, isNew } = await house.accept(entrance, await entrance.order(fn, rest, ['prefer']))
  const waitS = house.hasView ? waitOf(entrance) : 0
  const headers = {
    'preference-applied': waitS > 0 ? `respond-async, wait=${waitS}` : 'respond-async',
    vary: 'Prefer',
    ...(!isNew && { 'idempotency-replayed': 'true' }),
  }
  const answer = waitS > 0 ? await answerOf(call.id, waitS * 1_000, entrance, house) : undefined
  if (answer) {
    const vary = ['Prefer', answer.headers?.vary ?? []].flat().join(', ')
    return { ...answer, headers: { ...answer.headers, ...headers, vary } }
  }
  return {
    status: fn.acceptStatus,
    headers: { ...headers, location: `/invocations/${call.id}` },
    body: receiptOf(call),
  }
}

/** The answer of the function, as if it had been called at once; undefined while there is none, or where not all is kept. */
async function answerOf(
  id: string,
  waitMs: number,
  { reply }: Entrance,
  { lookup }: House,
): Promise<DoorAnswer | undefined> {
  const { view } = lookup
  const ended = (): Invocation | undefined => {
    const shown = view.get(id)
    return shown && isFinalState(shown.state) ? shown : undefined
  }
  const end = await lookup.until(reply, ended, waitMs)
  if (!end) return undefined
  const response = view.response(id)
  if (!response || response.status > STATUS_MAX)
    throw new PosthasteError('function-failed', `The call ended as ${end.state}, without an answer.`)
  return response.body.length === response.bodyBytes ? asItCame(response) : undefined
}

function asItCame({ body, headers, status }: KeptResponse): DoorAnswer {
  const passed = Object.entries(headers).filter(([name]) => passesOn(name))
  return { status, headers: Object.fromEntries(passed) as Record<string, string | string[]>, body }
}

/** Whole seconds, up to what is waited at the most; what cannot be read is not there. */
function waitOf({ request }: Entrance): number {
  const wait = preferencesOf(request.headers.prefer).get('wait') ?? ''
  return /^\d+$/.test(wait) ? Math.min(Number(wait), LIMITS.waitMsMax / 1_000) : 0
}

/** What stands between commas, but for those within quotes. No text makes it look twice at a place. */
const ITEMS = /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g

/** By name in lower case, of several the first (RFC 7240 section 2). */
function preferencesOf(header: string | string[] | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [item] of [header ?? []].flat().join(',').matchAll(ITEMS)) {
    const [name = '', value = ''] = (item.split(';', 1)[0] as string).split('=').map((part) => part.trim())
    const key = name.toLowerCase()
    if (key !== '' && !found.has(key)) found.set(key, value.replace(/^"(.*)"$/, '$1'))
  }
  return found
}
