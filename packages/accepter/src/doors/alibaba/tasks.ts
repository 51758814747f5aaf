import {
  claimKey,
  clientNameOf,
  type Invocation,
  type InvocationQuery,
  type KnownClaim,
  PosthasteError,
} from '@posthaste/core'
import { readCall } from '../../intake.js'
import type { DoorAnswer } from '../door.js'
import type { Entrance } from '../entrance.js'
import type { House } from '../house.js'
import { type Asked, invalid, serviceName, taskKey } from './asked.js'
import { isV2 } from './errors.js'
import { type Payloads, STATES, statefulInvocationOf, statusOf, type TaskStatus, taskOf } from './task.js'

const LIMIT_DEFAULT = 20
const LIMIT_MAX = 100
/** Each may have two of a megabyte, six times as long in JSON; what more a client asks for is on the next page. */
const LIMIT_WITH_PAYLOAD = 4
const BODY = new TextDecoder()

/** Every call of a function is a task, whichever way it came. */
export async function listTasks(asked: Asked): Promise<DoorAnswer> {
  const { entrance, fn, house } = asked
  const { query, status, withPayload } = readQuery(entrance)
  const { lookup } = house
  await lookup.catchUp(entrance.reply)
  const { tenant } = entrance.caller
  const { items, next } = lookup.view.list({ ...query, tenant, target: `function://${fn.name}` })
  const tasks = items
    .filter((item) => status === undefined || statusOf(item) === status)
    .map((item) => shown(asked, item, withPayload ? payloadsOf(asked, item) : {}))
  return { status: 200, body: { [isV2(entrance.path) ? 'invocations' : 'tasks']: tasks, nextToken: next } }
}

export async function showTask(asked: Asked): Promise<DoorAnswer> {
  const found = await find(asked)
  return { status: 200, body: shown(asked, found, payloadsOf(asked, found)) }
}

/** It goes on as `Stopping` until no call is made any more. */
export async function stopTask(asked: Asked): Promise<DoorAnswer> {
  const { id } = await find(asked)
  await asked.house.cancel(asked.entrance, id, 0)
  return { status: 200, body: {} }
}

/** The task that took an id for itself goes before what else has that as its correlation id. */
function find(asked: Asked): Promise<Invocation> {
  const { entrance, fn, groups, house } = asked
  const id = decodeURIComponent(groups.id ?? '')
  const claim = claimOf(asked, id)
  return house.find(entrance, claim && !claim.isForgotten ? claim.id : id, fn.name)
}

function claimOf(asked: Asked, taskId: string): KnownClaim | undefined {
  const { entrance, house } = asked
  return house.lookup.view.claim(claimKey(taskKey(asked, taskId), entrance.caller.tenant))
}

function shown({ entrance, groups }: Asked, found: Invocation, payloads: Payloads): object {
  if (!isV2(entrance.path)) return taskOf(found, payloads)
  const { name = '', service = '' } = groups
  const names = { serviceName: serviceName(service), functionName: decodeURIComponent(name) }
  return statefulInvocationOf(found, payloads, names)
}

/** As far as they are kept: what was sent, while it goes on, or failed, or as long as its own id is kept. */
function payloadsOf(asked: Asked, found: Invocation): Payloads {
  const { view } = asked.house.lookup
  const response = view.response(found.id)
  const claim = claimOf(asked, clientNameOf(found))
  const records = [
    view.waiting(found.id)?.record,
    view.deadLetter(found.id)?.record,
    claim?.id === found.id ? claim.record : undefined,
  ]
  const record = records.find((one) => one && one.length > 0)
  return {
    ...(record && sentIn(record, asked.house)),
    ...(response && response.body.length === response.bodyBytes && { returned: BODY.decode(response.body) }),
  }
}

/** Nothing, if the record cannot be read. */
function sentIn(record: Uint8Array, house: House): Payloads {
  try {
    return { sent: BODY.decode(house.shown(readCall(record)).body) }
  } catch (error) {
    if (error instanceof PosthasteError) return {}
    throw error
  }
}

interface TaskQuery {
  readonly query: Omit<InvocationQuery, 'tenant' | 'target'>
  readonly status: TaskStatus | undefined
  readonly withPayload: boolean
}

/** @throws PosthasteError `invalid-field` */
function readQuery({ path, query }: Entrance): TaskQuery {
  const cursor = query.get('nextToken') || undefined
  const namePrefix = query.get(isV2(path) ? 'invocationIdPrefix' : 'prefix') || undefined
  const status = oneOf(query, 'status', Object.keys(STATES)) as TaskStatus | undefined
  const withPayload = oneOf(query, 'includePayload', ['true', 'false']) === 'true'
  const limit = wholeNumber(query, 'limit', 1, LIMIT_MAX) ?? LIMIT_DEFAULT
  const after = wholeNumber(query, 'startedTimeBegin', 0, 1e14)
  const before = wholeNumber(query, 'startedTimeEnd', 0, 1e14)
  return {
    status,
    withPayload,
    query: {
      limit: withPayload ? Math.min(limit, LIMIT_WITH_PAYLOAD) : limit,
      ...(status && { states: STATES[status] }),
      ...(namePrefix !== undefined && { namePrefix }),
      ...(after !== undefined && { createdAfterMs: after }),
      ...(before !== undefined && { createdBeforeMs: before + 1 }),
      ...(oneOf(query, 'sortOrderByTime', ['asc', 'desc']) === 'asc' && { order: 'oldest-first' as const }),
      ...(cursor !== undefined && { cursor }),
    },
  }
}

/** What is empty is not there. */
function oneOf(query: URLSearchParams, name: string, values: readonly string[]): string | undefined {
  const value = query.get(name) || undefined
  if (value === undefined || values.includes(value)) return value
  throw invalid(`${name} is one of ${values.join(', ')}.`)
}

function wholeNumber(query: URLSearchParams, name: string, min: number, max: number): number | undefined {
  const text = query.get(name) || undefined
  if (text === undefined) return undefined
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw invalid(`${name} is a whole number from ${min} to ${max}.`)
}
