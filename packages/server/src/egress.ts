import { EgressPolicy, type FunctionMap, isLoopbackHost } from '@posthaste/core'
import { LOOPBACK_IF_LOCAL } from './config/loopback-if-local.js'
import type { Config } from './config/table.js'

const LOOPBACK = ['127.0.0.0/8', '::1']

/** What the configuration says may be called. */
export function egressPolicyOf(config: Config, functions?: () => FunctionMap): EgressPolicy {
  const rules = {
    allowTargets: config.allowTargets,
    denyTargets: config.denyTargets,
    allowAddresses: config.allowAddresses.filter((range) => range !== LOOPBACK_IF_LOCAL),
    ports: config.targetPorts,
  }
  return new EgressPolicy(rules, functions)
}

/**
 * The configuration of a process that may be all there is: if nobody beyond this machine can ask it for anything, it may
 * call what is on this machine. One that is only accepter or listener cannot know who else is at its stream, and one that
 * knows callers apart has others than whoever started it.
 */
export function withLoopbackIfLocal(config: Config, role: string): Config {
  const { allowAddresses, host, jwtIssuer, tokens } = config
  const hasCallers = tokens !== undefined || jwtIssuer !== ''
  const isLocal = role === 'all' && !hasCallers && [host, ...streamHosts(config)].every(isLoopbackHost)
  if (!isLocal || !allowAddresses.includes(LOOPBACK_IF_LOCAL)) return config
  return { ...config, allowAddresses: [...allowAddresses, ...LOOPBACK] }
}

/** Where its stream is: nowhere but in its own files if there are none, and anywhere if that is not known. */
function streamHosts({ checkpoints, kafkaBrokers, natsUrl, stream }: Config): string[] {
  const nats = checkpoints === 'nats' ? hostsOf(natsUrl) : []
  if (stream === 'embedded') return []
  if (stream === 'kafka') return [...hostsOf(kafkaBrokers), ...nats]
  return stream === 'nats' ? hostsOf(natsUrl) : ['']
}

/** Of `scheme://user:password@host:port`, of which all but the host may be missing, separated by commas. */
function hostsOf(urls: string): string[] {
  return urls.split(',').map((url) => url.replace(/^.*(\/\/|@)/, '').replace(/^\[?(.*?)\]?(:\d+)?\/?$/, '$1'))
}
