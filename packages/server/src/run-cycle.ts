import { PosthasteError } from '@posthaste/core'
import { type CycleReport, Listener } from '@posthaste/listener'
import type { Consumer } from '@posthaste/stream'
import type { Logger } from 'pino'
import { openBackend } from './backend.js'
import type { Config } from './config/table.js'
import { Functions } from './functions.js'
import { LISTENERS_GROUP, listenerOptions } from './listener-options.js'

/** What a cycle that a command runs is called. */
const MEMBER = 'posthaste cycle'
/** How long one ping of a listener that is already running waits. */
const PING_WAIT_S = 60

/** What a cycle did, and whether the stream is drained. */
export type CycleResult = { readonly drained: boolean } & object

/**
 * Drains the stream once and returns the report. Where a listener already owns the calls, it is pinged instead; `token` is
 * for that one, if it asks for one and there is no secret of pings. `signal` ends it early: running calls get the grace
 * period.
 * @throws PosthasteError `stream-unavailable` if another process has the calls and cannot be pinged, or `stopping`
 */
export async function runCycle(config: Config, log: Logger, signal: AbortSignal, token?: string): Promise<CycleResult> {
  const functions = new Functions(config.functions, log)
  const backend = await openBackend(config, log)
  try {
    const { stream } = backend
    await stream.start()
    const consumer = await stream.consume(LISTENERS_GROUP, { member: MEMBER })
    const owner = stream.supports.members === 'stand-by' ? await otherOwner(consumer) : undefined
    if (owner !== undefined) return await pingUntilDrained({ owner, headers: pingHeaders(config, token), signal })
    functions.start()
    const options = {
      ...listenerOptions(config, stream, consumer, log, MEMBER, functions.now),
      schedule: undefined,
      lingerMs: 0,
    }
    return await drain(new Listener(options), config.stopGrace, signal)
  } finally {
    await functions.stop()
    await backend.close()
  }
}

async function drain(listener: Listener, graceMs: number, signal: AbortSignal): Promise<CycleResult> {
  const stop = (): void => void listener.stop(graceMs)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  const { drained } = await listener.ping('command', Number.MAX_SAFE_INTEGER).finally(() => listener.stop(graceMs))
  // Only now is everything counted.
  return { drained, ...(await listener.report()) }
}

async function otherOwner(consumer: Consumer): Promise<string | undefined> {
  const progress = await consumer.progress()
  return progress.find(({ owner }) => owner === 'other')?.member
}

interface Ping {
  readonly owner: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** What shows that this command may. */
function pingHeaders({ pingSecret }: Config, token: string | undefined): Ping['headers'] {
  if (pingSecret !== '') return { 'posthaste-ping-key': pingSecret }
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}

async function pingUntilDrained(given: Ping): Promise<CycleResult> {
  const { owner } = given
  if (!owner.startsWith('http'))
    throw new PosthasteError('stream-unavailable', `Another process drains the stream now: ${owner}.`)
  for (;;) {
    const response = await ping(given)
    if (response.status === 401 || response.status === 403) throw notLetIn(owner)
    if (response.status !== 200 && response.status !== 202)
      throw new PosthasteError('stream-unavailable', `The listener at ${owner} answered ${response.status}.`)
    const report = (await response.json()) as CycleReport & CycleResult
    if (report.drained || report.blocked !== null) return report
  }
}

function notLetIn(owner: string): PosthasteError {
  const detail =
    `The listener at ${owner} does not let this command in: give it the same POSTHASTE_PING_SECRET, or a ` +
    'POSTHASTE_TOKEN that may operate.'
  return new PosthasteError('forbidden', detail)
}

async function ping({ headers, owner, signal }: Ping): Promise<Response> {
  try {
    // What shows who asks is for nobody else.
    return await fetch(`${owner}/cycle?wait=${PING_WAIT_S}s`, { method: 'POST', headers, redirect: 'manual', signal })
  } catch (cause) {
    if (signal.aborted) throw new PosthasteError('stopping', 'Stopped before the stream was drained.', { cause })
    throw new PosthasteError('stream-unavailable', `The listener at ${owner} cannot be reached.`, { cause })
  }
}
