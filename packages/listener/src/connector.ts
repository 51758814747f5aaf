import { lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { EgressPolicy, type Log, targetRefused } from '@posthaste/core'
import { buildConnector } from 'undici'
import type { Lookup } from './name-lookups.js'

const CONNECT_TIMEOUT_MS = 10_000

export interface ConnectorOptions {
  readonly egress: Pick<EgressPolicy, 'allowsAddress'>
  readonly log?: Log
  /** That of the system if left out. */
  readonly lookup?: Lookup | undefined
  readonly tls?: Omit<ConnectionOptions, 'port'>
}

/**
 * Connects to nothing but addresses that may be called. What a look-up returns is checked and connected to in one step:
 * what the name leads to a moment later does not matter. Otherwise it fails with `target-refused`, and nothing is sent.
 */
export function guardedConnector({ egress, log, lookup, tls }: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({
    ...tls,
    timeout: CONNECT_TIMEOUT_MS,
    lookup: guardedLookup(egress, log, lookup ?? systemLookup),
  })
  return (options, callback) => {
    // Of an address nothing is looked up.
    if (isIP(options.hostname) === 0 || egress.allowsAddress(options.hostname)) connect(options, callback)
    else queueMicrotask(() => callback(targetRefused(), null))
  }
}

/** For whoever does not say what may be called. */
export function publicConnector(): buildConnector.connector {
  return guardedConnector({ egress: new EgressPolicy() })
}

/** For where the operator himself says that something is. */
export function trustedConnector(options: Omit<ConnectorOptions, 'egress'>): buildConnector.connector {
  return guardedConnector({ ...options, egress: { allowsAddress: () => true } })
}

/** One that returns the addresses of a name if all of them may be called: which one is connected to is left to chance. */
function guardedLookup(egress: ConnectorOptions['egress'], log: Log | undefined, lookup: Lookup): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error || !first) {
        callback(error ?? targetRefused(), '')
      } else if (!addresses.every(({ address }) => egress.allowsAddress(address))) {
        log?.warn(
          { host: hostname, addresses: addresses.map(({ address }) => address) },
          'an address may not be called',
        )
        callback(targetRefused(), '')
      } else if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
}
