import { randomBytes } from 'node:crypto'
import { createToken } from '@posthaste/core'

/** A text that stands nowhere else. */
export const mark = (): string => `mark${randomBytes(12).toString('hex')}`

const bytes = (): string => randomBytes(32).toString('base64')

/** The secrets of the configuration. */
export const CONFIGURED = {
  token: createToken(),
  keyA: bytes(),
  keyB: bytes(),
  signing: bytes(),
  pingSecret: mark(),
  functionHeaderByEnv: mark(),
  functionHeaderByFile: mark(),
  keyByValue: mark(),
  keyByEnv: mark(),
  keyByFile: mark(),
}

/** What is never shown, and not kept in the clear where there are keys. */
export const CREDENTIALS = { authorization: mark(), apiKey: mark(), tokenInQuery: mark(), forwardToken: mark() }
/** What is shown to whoever may see the call, and not kept in the clear where there are keys. */
export const CONTENT = {
  ...{ header: mark(), query: mark(), body: mark(), base64Body: mark(), responseHeader: mark(), responseBody: mark() },
  ...{ deadBody: mark(), deferredBody: mark(), cancelledBody: mark(), movedBody: mark(), scheduleBody: mark() },
  ...{ retriedBody: mark(), batchBody: mark(), claimedBody: mark(), card: mark(), targetQuery: mark() },
  ...{ forwardQuery: mark(), destinationQuery: mark() },
}
/** The same, but for the log, which has it. */
export const LOGGED = { correlationId: mark(), path: mark() }
/** What is kept by nobody. */
export const UNKEPT = {
  redacted: mark(),
  idempotencyKey: mark(),
  refusedHeader: mark(),
  refusedBody: mark(),
  wrongToken: mark(),
  sentAtOnce: mark(),
}
/** What is neither shown nor told. */
export const NOWHERE = { ...CREDENTIALS, ...UNKEPT, ...CONFIGURED }
/** What is not kept in the clear where there are keys. */
export const SEALED = { ...NOWHERE, ...CONTENT, ...LOGGED }

/** The names of those marks that stand in a text, or in what is kept. */
export function found(marks: Readonly<Record<string, string>>, text: { includes(part: string): boolean }): string[] {
  return Object.keys(marks).filter((name) => text.includes(marks[name] as string))
}
