import { setTimeout as sleep } from 'node:timers/promises'
import type { InvocationDocument } from '@posthaste/core'
import { isFinalState } from '@posthaste/core/basics'
import type { Api } from './api.js'
import type { Session } from './api-command.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { describeInvocation } from './invocation.js'

/** For so long an answer is waited for at once: what stands between may give up on one that takes a minute. */
const ASK_MS_MAX = 30_000

/** Before asking again: where too many wait the answer comes at once. */
const PAUSE_MS = 250

/**
 * Waits until an invocation has ended, or until `untilMs` by `performance.now()`, shows it, and returns the exit code that
 * says how it ended. Meanwhile people see what is waited for.
 */
export async function showEnd(
  { api, output }: Session,
  id: string,
  untilMs: number,
  describe: (invocation: InvocationDocument) => string = describeInvocation,
): Promise<ExitCode> {
  output.progress(`Waiting for ${id}`)
  const invocation = await lastSeen(api, id, untilMs).finally(() => output.progress(''))
  await output.show(invocation, describe)
  return exitCodeOf(invocation)
}

async function lastSeen(api: Api, id: string, untilMs: number): Promise<InvocationDocument> {
  for (;;) {
    const waitMs = Math.ceil(Math.min(ASK_MS_MAX, Math.max(0, untilMs - performance.now())))
    const { document } = await api.ask<InvocationDocument>('GET', `/invocations/${id}`, { waitMs })
    if (isFinalState(document.state) || performance.now() >= untilMs) return document
    await sleep(PAUSE_MS)
  }
}

function exitCodeOf({ state }: InvocationDocument): ExitCode {
  if (!isFinalState(state)) return EXIT.unfinished
  return state === 'succeeded' ? EXIT.done : EXIT.failed
}
