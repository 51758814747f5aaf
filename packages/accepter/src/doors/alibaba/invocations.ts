import { createId, PosthasteError } from '@posthaste/core'
import type { AtFunctions, DoorAnswer, Streamed } from '../door.js'
import type { Entrance } from '../entrance.js'
import type { AnswerHead } from '../function-proxy.js'
import type { Order } from '../house.js'
import type { PassedHeaders } from '../passed-headers.js'
import { type Asked, invalid, taskKey } from './asked.js'
import { taskRefusal } from './errors.js'

/** As Function Compute tries again: three times more, for a day. How long it waits in between it does not say. */
const RETRY = { maxAttempts: 4, maxAgeMs: 86_400_000 }
const DELAY_S_MAX = 3_600
const TASK_ID = /^[A-Za-z_][\w-]{0,127}$/
const TYPE_HEADER = 'x-fc-invocation-type'
/** What is meant for the system, its signatures too, and what functions are told by it alone. */
const OWN_HEADER = /^x-(fc|acs)-/
const SIGNATURE = /^(FC|acs|ACS3-HMAC-SHA256) /
/** The length may be that of another status. */
const BODY_HEADERS = ['content-type', 'content-encoding']
/** A function failed: what it answered says why. */
const FAILED = { 'x-fc-error-type': 'UnhandledInvocationError' }

/** Whether a request at the URL of a function is for an HTTP trigger. */
export const isMarked: AtFunctions['isMeant'] = ({ headers }) => headers[TYPE_HEADER] !== undefined

/** Invocation by the API: the body is the event, and nothing of the request else goes to the function. */
export async function invoke(asked: Asked): Promise<DoorAnswer | Streamed> {
  const { entrance, fn } = asked
  const id = createId(entrance.nowMs)
  const method = fn.method ?? 'POST'
  const headers = {
    'content-type': entrance.header('content-type') ?? 'application/octet-stream',
    ...toldTo(asked, id, '/invoke'),
  }
  if (!isAsync(entrance)) return invokeNow(asked, id, method, headers)
  const body = await entrance.bodyToKeep(fn)
  const sameness = entrance.sameness(() => ({ function: fn.name, body: body.toString('base64') }))
  return later(asked, { id, body, instruction: { function: fn.name, method, headers }, ...sameness })
}

/** The function's URL as an HTTP trigger: the function gets the request as it is. */
export async function trigger(asked: Asked): Promise<DoorAnswer | Streamed> {
  const { entrance, fn, house } = asked
  const { rest = '' } = asked.groups
  const id = createId(entrance.nowMs)
  const headers = { ...withoutOwn(entrance.passedHeaders()), ...toldTo(asked, id, '/http-invoke') }
  if (isAsync(entrance)) {
    const order = await entrance.order(fn, rest)
    return later(asked, { ...order, id, instruction: { ...order.instruction, headers } })
  }
  const answer = (head: AnswerHead) => ({ ...head, headers: { ...head.headers, 'x-fc-request-id': id } })
  return house.callNow(entrance, { fn, rest, headers, answer })
}

async function later(asked: Asked, order: Omit<Order, 'fn'>): Promise<DoorAnswer> {
  const { entrance, fn, house } = asked
  const { instruction } = order
  const taskId = taskIdOf(entrance)
  const { call, isNew } = await house.accept(entrance, {
    ...order,
    fn,
    retry: RETRY,
    instruction: { ...instruction, ...delayOf(entrance), ...(taskId !== undefined && { correlationId: taskId }) },
    // A task is one by its id alone: what it is to do does not matter.
    ...(taskId !== undefined && { sameness: { key: taskKey(asked, taskId), payload: taskId } }),
  })
  if (!isNew && taskId !== undefined)
    return taskRefusal(entrance.path, 409, 'AlreadyExists', `There is a task "${taskId}" of this function already.`)
  return { status: fn.acceptStatus, headers: { 'x-fc-request-id': call.id } }
}

async function invokeNow({ entrance, fn, house }: Asked, id: string, method: string, headers: PassedHeaders) {
  const given = { 'x-fc-request-id': id }
  const answer = ({ headers: all, status }: AnswerHead): AnswerHead => {
    const ofBody = BODY_HEADERS.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]]))
    const failed = status < 200 || status > 299 || /^[^2]/.test(String(all['x-fc-status'] ?? ''))
    return { status: 200, headers: { ...Object.fromEntries(ofBody), ...given, ...(failed && FAILED) } }
  }
  try {
    return await house.callNow(entrance, { fn, rest: '', search: '', method, headers, answer })
  } catch (error) {
    // To who calls a function it is an error of that function, whatever failed.
    if (!(error instanceof PosthasteError) || !error.code.startsWith('function-')) throw error
    return { status: 200, headers: { ...given, ...FAILED }, body: { errorMessage: error.message } }
  }
}

/** What a function in a runtime of its own is told in headers, as far as there is such a thing here. */
function toldTo({ fn }: Asked, id: string, path: string): Record<string, string> {
  return {
    'x-fc-request-id': id,
    'x-fc-function-name': fn.name,
    'x-fc-control-path': path,
  }
}

function withoutOwn(headers: PassedHeaders): PassedHeaders {
  const isOwn = (name: string, value: string) =>
    OWN_HEADER.test(name) || (name === 'authorization' && SIGNATURE.test(value))
  return Object.fromEntries(Object.entries(headers).filter(([name, value]) => !isOwn(name, String(value))))
}

function isAsync(entrance: Entrance): boolean {
  const type = entrance.header(TYPE_HEADER)?.toLowerCase() ?? 'sync'
  if (type === 'sync' || type === 'async') return type === 'async'
  throw invalid('X-Fc-Invocation-Type is Sync or Async.')
}

/** As version 3 names it, or version 2. */
function taskIdOf(entrance: Entrance): string | undefined {
  const id = entrance.header('x-fc-async-task-id') ?? entrance.header('x-fc-stateful-async-invocation-id')
  if (id === undefined || TASK_ID.test(id)) return id
  throw invalid('The id of a task begins with a letter or _, and has letters, digits, _ and -, up to 128.')
}

function delayOf(entrance: Entrance): { delay?: string } {
  const delay = entrance.header('x-fc-async-delay')
  if (delay === undefined) return {}
  if (/^\d{1,4}$/.test(delay) && Number(delay) <= DELAY_S_MAX) return { delay: `${delay}s` }
  throw invalid(`X-Fc-Async-Delay is a number of seconds, from 0 to ${DELAY_S_MAX}.`)
}
