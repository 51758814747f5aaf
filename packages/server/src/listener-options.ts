import { calledRecordBytesMax, type FunctionMap, type Log, type RetryPolicy, systemClock } from '@posthaste/core'
import type { ListenerOptions } from '@posthaste/listener'
import type { Consumer, Stream } from '@posthaste/stream'
import type { Config } from './config/table.js'
import { egressPolicyOf } from './egress.js'

/** What holds for instructions that say nothing else. */
export function retryPolicyOf(config: Config): RetryPolicy {
  return {
    maxAttempts: config.retryMaxAttempts,
    initialDelayMs: config.retryInitialDelay,
    factor: config.retryFactor,
    maxDelayMs: config.retryMaxDelay,
    jitter: config.retryJitter,
    maxAgeMs: config.retryMaxAge,
    statuses: config.retryStatuses,
    errors: config.retryErrors,
  }
}

/** The group that all listeners of one installation share. */
export const LISTENERS_GROUP = 'listeners'

/** What the configuration says to a listener, which the journal calls by `name`. */
export function listenerOptions(
  config: Config,
  stream: Stream,
  consumer: Consumer,
  log: Log,
  name: string,
  functions: () => FunctionMap,
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
    ratePerTarget: config.ratePerTarget,
    burstPerTarget: config.burstPerTarget,
    breakerFailures: config.breakerFailures,
    timeoutMs: config.callTimeout,
    egress: egressPolicyOf(config, functions),
    functions,
    retry: retryPolicyOf(config),
    targetRules: config.targets,
    tlsMin: config.tlsMin,
    responseBytesMax: config.responseSize,
    recordBytesMax: calledRecordBytesMax(stream.supports.recordBytesMax, config.responseSize),
    logAttempts: config.logAttempts,
  }
}
