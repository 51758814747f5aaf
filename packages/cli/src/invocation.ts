import type { InvocationDocument, InvocationSummary } from '@posthaste/core'
import { localTime } from './moment.js'
import { Table } from './table.js'

/** Says in lines what became of an invocation. As JSON it is said with every header. */
export function describeInvocation(invocation: InvocationDocument): string {
  const facts = factsOf(invocation).filter((fact): fact is [string, string] => fact[1] !== undefined)
  const lines = [`${invocation.id}  ${invocation.state}`, new Table().lines(facts)]
  if (invocation.attempts.length > 0) lines.push('', describeAttempts(invocation))
  return lines.join('\n')
}

/** What an answer says of the invocation that it is about: all of it, or little. */
export interface Told extends Partial<Pick<InvocationSummary, 'nextAttemptAt' | 'failure'>> {
  readonly id: string
  readonly state: string
  readonly notBefore?: string
}

/** Says in one line how it stands. */
export function summarizeInvocation({ failure, id, nextAttemptAt, notBefore, state }: Told): string {
  const due = nextAttemptAt ?? notBefore
  const more = due === undefined ? failure?.detail : localTime(due)
  return [id, state, ...(more === undefined ? [] : [more])].join('  ')
}

/** What is called, in a few words. */
export function callOf({ method, target }: InvocationSummary): string {
  return [method, target].join(' ').trim() || 'what cannot be read'
}

function factsOf(invocation: InvocationDocument): [string, string | undefined][] {
  const { createdAt, destination, endedAt, failure, forward, generation, instruction, nextAttemptAt, response } =
    invocation
  return [
    ['  call', callOf(invocation)],
    ['  body', instruction && `${instruction.bodyBytes} bytes`],
    ['  created', localTime(createdAt)],
    ['  ended', endedAt && localTime(endedAt)],
    ['  next attempt', nextAttemptAt && localTime(nextAttemptAt)],
    ['  expires', instruction?.expiresAt && localTime(instruction.expiresAt)],
    ['  generation', generation > 1 ? String(generation) : undefined],
    ['  correlation', invocation.correlationId],
    ['  parent', invocation.parent],
    ['  failure', failure && `${failure.code}: ${failure.detail}`],
    ['  response', response && describeResponse(response)],
    ['  forward to', instruction?.forwardTo],
    ['  forward', forward && describeChild(forward)],
    ['  destination', destination && describeChild(destination)],
    ['  asked for', describeChange(invocation)],
  ]
}

function describeChild({ id, refused }: NonNullable<InvocationSummary['forward']>): string {
  return id ?? `refused: ${refused}`
}

function describeResponse({ bodyBytes, bodyKept, status }: NonNullable<InvocationSummary['response']>): string {
  return `${status}, ${bodyBytes} bytes${bodyKept ? '' : ', too large to keep'}`
}

function describeChange({ pendingChange }: InvocationSummary): string | undefined {
  if (!pendingChange) return undefined
  const { kind, notBefore } = pendingChange
  return `${kind}${notBefore === undefined ? '' : ` to ${localTime(notBefore)}`}, not done yet`
}

function describeAttempts({ attempts }: InvocationDocument): string {
  const rows = attempts.map(({ attempt, durationMs, failure, generation, listener, startedAt, status }) => [
    `  ${generation}.${attempt}`,
    localTime(startedAt),
    `${Math.round(durationMs)} ms`,
    String(status ?? failure?.code ?? ''),
    listener ?? '',
  ])
  return new Table(['  ATTEMPT', 'STARTED', 'TOOK', 'ANSWER', 'LISTENER']).lines(rows)
}
