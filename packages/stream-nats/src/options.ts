import { readFileSync } from 'node:fs'
import { type Log, PosthasteError } from '@posthaste/core'
import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
  type TlsOptions as NatsTlsOptions,
} from 'nats'

/** How to reach NATS. */
export interface NatsConnectionOptions {
  /** Comma-separated URLs, `nats://` or `tls://`, with a user and password or a token if need be. */
  readonly servers: string
  /** Begins the names of streams, subjects and buckets: letters, digits, `_` and `-`. */
  readonly prefix: string
  /** Copies that the cluster keeps of each stream, from 1 to 5. */
  readonly replicas?: number
  /** A credentials file: its path or its text. */
  readonly credentials?: string
  readonly tls?: NatsTls
  /** How a connection is made; tests hand in their own. */
  readonly connect?: (options: ConnectionOptions) => Promise<NatsConnection>
}

/** Paths of PEM files. */
export interface NatsTls {
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
}

export interface NatsStreamOptions extends NatsConnectionOptions {
  /** How much of the journal is kept: what is older or beyond the size goes. */
  readonly journalRetention: { readonly ageMs: number; readonly bytes: number }
  /** How long claims are kept; 24 hours if left out. */
  readonly claimRetentionMs?: number
  /** After so long without a sign of life of a member its records go to another one; 30 seconds if left out. */
  readonly ackWaitMs?: number
  /** Records that all members together may have in work; 65,536 if left out. */
  readonly maxAckPending?: number
  /** Largest record, if it is to be smaller than what the server takes. */
  readonly recordBytesMax?: number
  readonly log: Log
}

const CONNECT_TIMEOUT_MS = 5_000
/** A connection that is silently gone is noticed after two of these. */
const PING_INTERVAL_MS = 5_000
const RECONNECT_WAIT_MS = 100

export function openConnection(options: NatsConnectionOptions): Promise<NatsConnection> {
  const urls = options.servers
    .split(',')
    .map((server) => server.trim())
    .filter((server) => server !== '')
    .map(parseServer)
  const first = urls[0]
  if (!first) throw new PosthasteError('invalid-configuration', 'There is no URL of a NATS server.')
  const tls = tlsOf(options.tls, urls)
  return (options.connect ?? connect)({
    servers: urls.map(({ host }) => host),
    name: 'posthaste',
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_WAIT_MS,
    // Credentials that are refused for a while must not end the connection for good.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    ...userOf(first),
    ...(options.credentials === undefined ? {} : { authenticator: authenticatorOf(options.credentials) }),
    ...(tls ? { tls } : {}),
  })
}

interface Server extends Pick<URL, 'host' | 'username' | 'password' | 'protocol'> {}

function parseServer(server: string): Server {
  try {
    return new URL(server.includes('://') ? server : `nats://${server}`)
  } catch (cause) {
    // Without the text: it may hold a password.
    throw new PosthasteError('invalid-configuration', 'The URL of a NATS server cannot be read.', { cause })
  }
}

function userOf({ username, password }: Server): Partial<ConnectionOptions> {
  if (username === '') return {}
  const user = decodeURIComponent(username)
  return password === '' ? { token: user } : { user, pass: decodeURIComponent(password) }
}

function authenticatorOf(credentials: string): Authenticator {
  const text = credentials.includes('-----BEGIN') ? credentials : readCredentials(credentials)
  return credsAuthenticator(new TextEncoder().encode(text))
}

function readCredentials(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new PosthasteError('invalid-configuration', 'The NATS credentials file cannot be read.', { cause })
  }
}

function tlsOf(tls: NatsTls | undefined, servers: readonly Server[]): NatsTlsOptions | undefined {
  if (tls) return { ...tls }
  return servers.some(({ protocol }) => protocol === 'tls:') ? {} : undefined
}
