import { createId, type ErrorCode, type PosthasteError } from '@posthaste/core'
import { type Doubt, doubtOf } from '../../unauthenticated.js'
import type { DoorAnswer } from '../door.js'

/** What is called a task in version 3 has another name in version 2. */
const TASK = { v2: 'StatefulAsyncInvocation', v3: 'AsyncTask' }

/** The system's codes and statuses, from its table of errors. */
const CODE_OF: Readonly<Partial<Record<ErrorCode, readonly [code: string, status: number]>>> = {
  forbidden: ['AccessDenied', 403],
  'target-refused': ['AccessDenied', 403],
  'unknown-function': ['FunctionNotFound', 404],
  'method-not-allowed': ['PathNotSupported', 400],
  'too-large': ['EntityTooLarge', 400],
  'rate-limited': ['ResourceExhausted', 429],
  'too-many-open': ['ResourceExhausted', 429],
  'function-failed': ['UnhandledInvocationError', 502],
  'function-timeout': ['UnhandledInvocationError', 504],
}
const CODE_OF_DOUBT: Readonly<Record<Doubt, readonly [code: string, status: number]>> = {
  missing: ['MissingRequiredHeader', 400],
  incomplete: ['MissingRequiredHeader', 400],
  'unknown-token': ['InvalidAccessKeyID', 403],
  'unknown-key': ['InvalidAccessKeyID', 403],
  invalid: ['SignatureNotMatch', 403],
}
const OF_TASKS: Readonly<Partial<Record<ErrorCode, readonly [ending: string, status: number]>>> = {
  'not-found': ['NotFound', 404],
  'already-ended': ['AlreadyCompleted', 412],
}

export function fail(error: PosthasteError, status: number, path: string): DoorAnswer {
  const { code, message } = error
  const doubt = doubtOf(error)
  const [ending, taskStatus = status] = OF_TASKS[code] ?? []
  if (ending !== undefined) return taskRefusal(path, taskStatus, ending, message)
  const [known, knownStatus] = (doubt ? CODE_OF_DOUBT[doubt] : CODE_OF[code]) ?? generalCode(status)
  return refusal(path, knownStatus, known, message)
}

/** That a task is not as it should be: `NotFound`, `AlreadyExists`. */
export function taskRefusal(path: string, status: number, ending: string, message: string): DoorAnswer {
  return refusal(path, status, `${TASK[isV2(path) ? 'v2' : 'v3']}${ending}`, message)
}

export function refusal(path: string, status: number, code: string, message: string): DoorAnswer {
  const id = createId(Date.now())
  // The first version of all had other names for them.
  const body = path.startsWith('/2016-08-15/')
    ? { ErrorCode: code, ErrorMessage: message }
    : { RequestId: id, Code: code, Message: message }
  return { status, headers: { 'x-fc-request-id': id, 'x-fc-error-type': 'FCCommonError' }, body }
}

export function isV2(path: string): boolean {
  return /^\/20(16-08-15|21-04-06)\//.test(path)
}

function generalCode(status: number): readonly [code: string, status: number] {
  if (status === 503) return ['ServiceUnavailable', 503]
  return status >= 500 ? ['InternalServerError', 500] : ['InvalidArgument', 400]
}
