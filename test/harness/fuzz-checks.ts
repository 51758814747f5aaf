import { type AccessKey, ERRORS, type Scope } from '@posthaste/core'
import type { Answered } from './fuzz-wire.js'
import type { RandomRequest } from './random-requests.js'

export interface FuzzCaller {
  readonly tenant: string
  readonly token?: string
  /** By which he signs. */
  readonly key?: AccessKey
  readonly scopes: readonly Scope[]
  /** Which functions he may have called; all if left out. */
  readonly functions?: readonly string[]
  /** Whether the process knows him. */
  readonly isKnown: boolean
}

/** An id that was given to somebody of a tenant. */
export interface Given {
  readonly id: string
  readonly tenant: string
}

/** @throws Error if one says that something failed here */
export function checkStatuses(statuses: readonly number[]): void {
  const failed = statuses.find((status) => status >= 500 && status !== 503)
  if (failed !== undefined) throw new Error(`The answer is ${failed}.`)
}

/** @throws Error if it is no problem of ours */
export function checkProblem({ status, text, type }: Pick<Answered, 'status' | 'text' | 'type'>): void {
  if (type !== 'application/problem+json') throw new Error(`${status} is ${type}: ${text}`)
  const problem = JSON.parse(text) as { code: keyof typeof ERRORS; status: number }
  if (ERRORS[problem.code]?.status !== status) throw new Error(`${status} has the code ${problem.code}.`)
}

/** @throws Error if the document does not have it */
export function checkDescribed({ isDescribed, operation }: RandomRequest, { status, text }: Answered): void {
  // With another id, or method, it is another operation, or none.
  if (isDescribed && !(String(status) in operation.responses))
    throw new Error(`${status} is not in the document: ${text}`)
}

/** @throws Error if he has got what is not for him */
export function checkCaller(
  { headers, isDescribed, operation }: RandomRequest,
  caller: FuzzCaller,
  given: Given | undefined,
  status: number,
): void {
  if (!isDescribed) return
  const isKnown = caller.isKnown && (caller.token === undefined || headers.authorization === undefined)
  if (!isKnown && operation.security.length > 0 && status < 400) throw new Error(`${status} for who is not known.`)
  const isForeign = given !== undefined && given.tenant !== caller.tenant
  if (isForeign && (status < 400 || status === 409 || status === 422))
    throw new Error(`${status} for what is of another tenant.`)
}
