import { calledRecordBytesMax, DEFAULT_RETRY_POLICY, type Log, systemClock } from '@posthaste/core'
import type { ListenerOptions } from '@posthaste/listener'
import type { Consumer, Stream } from '@posthaste/stream'
import type { Config } from './config/table.js'

/** The group that all listeners of one installation share. */
export const LISTENERS_GROUP = 'listeners'

/** What the configuration says to a listener, which the journal calls by `name`. */
export function listenerOptions(
  config: Config,
  stream: Stream,
  consumer: Consumer,
  log: Log,
  name: string,
): ListenerOptions {
  return {
    consumer,
    control: stream,
    name,
    clock: systemClock,
    log,
    schedule: config.schedule === 'off' ? undefined : config.schedule,
    lingerMs: config.linger,
    batchRecords: config.batchRecords,
    concurrency: config.concurrency,
    concurrencyPerTarget: config.concurrencyPerTarget,
    timeoutMs: config.callTimeout,
    retry: DEFAULT_RETRY_POLICY,
    responseBytesMax: config.responseSize,
    recordBytesMax: calledRecordBytesMax(stream.supports.recordBytesMax, config.responseSize),
    logAttempts: config.logAttempts,
  }
}
