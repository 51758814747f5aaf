import { PosthasteError } from '@posthaste/core'
import { Listener } from '@posthaste/listener'
import type { Consumer } from '@posthaste/stream'
import type { Logger } from 'pino'
import { openBackend } from './backend.js'
import type { Config } from './config/table.js'
import { LISTENERS_GROUP, listenerOptions } from './listener-options.js'

/** How long one ping of a listener that is already running waits. */
const PING_WAIT_S = 60

/**
 * Drains the stream once and returns the report. Where a listener already owns the calls, it is pinged instead.
 * `signal` ends it early: running calls get the grace period.
 */
export async function runCycle(config: Config, log: Logger, signal: AbortSignal): Promise<object> {
  const backend = openBackend(config, log)
  try {
    const { stream } = backend
    await stream.start()
    const consumer = await stream.consume(LISTENERS_GROUP, { member: 'posthaste cycle' })
    const owner = await otherOwner(consumer)
    if (owner !== undefined) return await pingUntilDrained(owner, signal)
    const options = { ...listenerOptions(config, stream, consumer, log), schedule: undefined, lingerMs: 0 }
    const listener = new Listener(options)
    signal.addEventListener('abort', () => void listener.stop(config.stopGrace), { once: true })
    const report = await listener.ping('command', Number.MAX_SAFE_INTEGER)
    await listener.stop(config.stopGrace)
    await consumer.stop()
    return report
  } finally {
    await backend.close()
  }
}

async function otherOwner(consumer: Consumer): Promise<string | undefined> {
  const progress = await consumer.progress()
  return progress.find(({ owner }) => owner === 'other')?.member
}

async function pingUntilDrained(owner: string, signal: AbortSignal): Promise<object> {
  if (!owner.startsWith('http'))
    throw new PosthasteError('stream-unavailable', `Another process drains the stream now: ${owner}.`)
  for (;;) {
    const response = await fetch(`${owner}/cycle?wait=${PING_WAIT_S}s`, { method: 'POST', signal })
    const report = (await response.json()) as object
    if (response.status === 200) return report
    if (response.status !== 202)
      throw new PosthasteError('stream-unavailable', `The listener at ${owner} answered ${response.status}.`)
  }
}
