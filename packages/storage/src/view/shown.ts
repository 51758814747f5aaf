import {
  type Attempt,
  attemptOf,
  type Children,
  type Directive,
  type Invocation,
  isFinalState,
  type JournalLine,
  type KeptResponse,
  maskedHeaders,
  maskedUrl,
  readCallLine,
  readJournalLine,
  type ShownResponse,
  stateOf,
} from '@posthaste/core'
import { decodeAttempts, inOrder } from './attempts.js'
import type { Row } from './row.js'

/** What is shown of a row. `directive` is what stands for its invocation. */
export function shownInvocation(id: string, row: Row, directive: Directive | undefined): Invocation {
  const { createdAtMs, standing } = row
  const state = stateOf(standing)
  const entry = entryOf(row)
  const isPutOff = state === 'scheduled' || state === 'retrying'
  const response = entryOfResponse(row, entry)?.response
  // What went before a redrive is history.
  const latest = entry?.generation === standing.generation ? entry : undefined
  const asked = directive && !standing.ended && directive.generation === standing.generation ? directive : undefined
  return {
    id,
    state,
    generation: standing.generation,
    createdAtMs,
    ...(standing.ended && { endedAtMs: standing.ended.atMs }),
    ...(isPutOff && { nextAttemptAtMs: standing.dueMs }),
    ...describe(row),
    attempts: attemptsOf(row, entry),
    ...(latest?.failure && { failure: latest.failure }),
    ...(response && { response: shownResponse(response, row.bodyBytes) }),
    ...(latest && isFinalState(state) && childrenOf(latest)),
    ...(asked && { directive: shownDirective(asked) }),
  }
}

/** The last response of a row, with the body that was kept of it. */
export function keptResponse(row: Row, body: Uint8Array): KeptResponse | undefined {
  const response = entryOfResponse(row, entryOf(row))?.response
  if (!response) return undefined
  return { status: response.status, headers: maskedHeaders(response.headers), body, bodyBytes: response.bodyBytes }
}

function entryOfResponse({ answered }: Row, entry: JournalLine | undefined): JournalLine | undefined {
  return lineOf(answered) ?? entry
}

function entryOf({ entry, entryGeneration }: Row): JournalLine | undefined {
  return entryGeneration > 0 ? readJournalLine(entry) : undefined
}

function lineOf(bytes: Uint8Array): JournalLine | undefined {
  return bytes.length > 0 ? readJournalLine(bytes) : undefined
}

type Description = Pick<Invocation, 'target' | 'method' | 'correlationId' | 'parent' | 'instruction'>

/** From the call, or else from the journal. */
function describe({ entry, head }: Row): Description {
  const call = head.length > 0 ? readCallLine(head) : undefined
  if (call) return call
  const { correlationId, method, parent, target } = lineOf(entry) ?? {}
  return {
    ...(target !== undefined && { target: maskedUrl(target) }),
    ...(method !== undefined && { method }),
    ...(correlationId !== undefined && { correlationId }),
    ...(parent !== undefined && { parent }),
  }
}

function attemptsOf({ attempts }: Row, entry: JournalLine | undefined): Attempt[] {
  const last = entry && attemptOf(entry)
  const earlier = decodeAttempts(attempts)
  return last ? inOrder([...earlier, last]) : earlier
}

function childrenOf({ destination, forward }: JournalLine): Children {
  return { ...(forward && { forward }), ...(destination && { destination }) }
}

function shownResponse(
  { bodyBytes, headers, status }: NonNullable<JournalLine['response']>,
  kept: number,
): ShownResponse {
  return { status, headers: maskedHeaders(headers), bodyBytes, isKept: bodyBytes === kept }
}

function shownDirective({ dueMs, isDone, kind }: Directive): NonNullable<Invocation['directive']> {
  return { kind, ...(dueMs !== undefined && { dueMs }), isDone }
}
