import {
  type Attempt,
  clientNameOf,
  type Failure,
  functionNameOf,
  type Invocation,
  type InvocationState,
  isFinalState,
  PENDING_STATES,
} from '@posthaste/core'

/** The system's states of tasks, and what they are of ours. `Dequeued` is none: what is taken to be called runs. */
export const STATES = {
  Enqueued: ['scheduled', 'queued'],
  Dequeued: [],
  Running: ['running'],
  Retrying: ['retrying'],
  Stopping: PENDING_STATES,
  Stopped: ['cancelled'],
  Succeeded: ['succeeded'],
  Failed: ['failed'],
  Invalid: ['failed'],
  Expired: ['expired'],
} as const satisfies Readonly<Record<string, readonly InvocationState[]>>

export type TaskStatus = keyof typeof STATES

/** What is known of a task besides the invocation. */
export interface Payloads {
  /** What its function was called with. */
  readonly sent?: string
  readonly returned?: string
}

export function statusOf({ directive, failure, state }: Invocation): TaskStatus {
  const isPending = !isFinalState(state)
  if (isPending && directive?.kind === 'cancel' && !directive.isDone) return 'Stopping'
  if (state === 'failed' && failure?.code === 'unknown-function') return 'Invalid'
  const [found] = Object.entries(STATES).find(([, states]) => (states as readonly string[]).includes(state)) ?? []
  return found as TaskStatus
}

/** A task as version 3 shows it. Fields of which nothing is known are undefined, and so left out. */
export function taskOf(invocation: Invocation, { returned, sent }: Payloads): object {
  return {
    taskId: clientNameOf(invocation),
    functionArn: `acs:fc:::functions/${functionNameOf(invocation.target ?? '')}`,
    taskErrorMessage: invocation.failure?.detail,
    taskPayload: sent,
    ...sameOf(invocation, returned),
  }
}

/** The same as version 2 does, by the names that it has there. */
export function statefulInvocationOf(invocation: Invocation, { returned, sent }: Payloads, names: object): object {
  return {
    invocationId: clientNameOf(invocation),
    ...names,
    invocationErrorMessage: invocation.failure?.detail,
    invocationPayload: sent,
    ...sameOf(invocation, returned),
  }
}

function sameOf(invocation: Invocation, returnPayload: string | undefined): object {
  const { attempts, createdAtMs, endedAtMs, generation, id } = invocation
  const last = attempts.at(-1)
  const status = statusOf(invocation)
  return {
    requestId: id,
    qualifier: 'LATEST',
    instanceId: last?.listener,
    status,
    destinationStatus: endedAtMs === undefined ? undefined : status,
    startedTime: createdAtMs,
    endTime: endedAtMs,
    durationMs: last && Math.round(last.durationMs),
    alreadyRetriedTimes: last?.generation === generation ? Math.max(0, last.attempt - 1) : 0,
    returnPayload,
    events: eventsOf(invocation).map((event, index) => ({ eventId: index + 1, ...event })),
  }
}

interface TaskEvent {
  readonly status: TaskStatus
  readonly timestamp: number
  readonly eventDetail?: string
}

function eventsOf(invocation: Invocation): TaskEvent[] {
  const { attempts, createdAtMs, endedAtMs, failure } = invocation
  const events: TaskEvent[] = [{ status: 'Enqueued', timestamp: createdAtMs }]
  attempts.forEach((attempt, index) => {
    events.push({ status: 'Running', timestamp: attempt.startedAtMs })
    const isLast = index === attempts.length - 1
    if (!isLast || endedAtMs === undefined)
      events.push({ status: 'Retrying', timestamp: endOf(attempt), ...detailOf(attempt.failure) })
  })
  if (endedAtMs !== undefined) events.push({ status: statusOf(invocation), timestamp: endedAtMs, ...detailOf(failure) })
  return events
}

function endOf({ durationMs, startedAtMs }: Attempt): number {
  return Math.round(startedAtMs + durationMs)
}

function detailOf(failure: Failure | undefined): Pick<TaskEvent, 'eventDetail'> {
  return failure ? { eventDetail: JSON.stringify({ Error: failure.code, Message: failure.detail }) } : {}
}
