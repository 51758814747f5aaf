import {
  CALL_ERRORS,
  type CallError,
  DEFAULT_EGRESS,
  DEFAULT_RETRY_POLICY,
  formatDuration,
  isJson,
  LIMITS,
  ORIGIN_PATTERN_FORM,
  parseKeyFile,
  parseOriginPattern,
  parseTargetFile,
  parseTokenFile,
  readPorts,
  readRange,
  type SealingKey,
  STATUSES_PATTERN,
  type TargetRule,
  TLS_VERSIONS,
  type TokenHolder,
} from '@posthaste/core'
import { isSchedule } from '@posthaste/listener'
import { doors } from './doors.js'
import { type FunctionFile, readFunctionFile } from './function-reader.js'
import { LOOPBACK_IF_LOCAL } from './loopback-if-local.js'
import {
  choice,
  decimal,
  duration,
  file,
  flag,
  integer,
  jsonFile,
  list,
  optionalText,
  portOrOff,
  type Setting,
  size,
  text,
} from './setting.js'

const originPatterns = { test: (text: string) => parseOriginPattern(text) !== undefined }
const addresses = { test: (text: string) => text === LOOPBACK_IF_LOCAL || readRange(text) !== undefined }
const ports = { test: (text: string) => readPorts(text) !== undefined }

/** The tokens that there are, and where they stand. */
export interface TokenFile {
  readonly path: string
  readonly holders: readonly TokenHolder[]
}

/**
 * Every setting. Drives reading, `--help`, `docs/configuration.md` and the log line at the start. A setting `dataDir` is
 * `--data-dir` on the command line, `POSTHASTE_DATA_DIR` in the environment and `"dataDir"` in the file.
 */
export const SETTINGS = {
  host: text({ default: '127.0.0.1', description: 'Address to listen on; of a name, the first that it has.' }),
  port: integer(0, 65_535, { default: '8080', description: 'Port to listen on; 0 picks a free one.' }),
  connections: integer(2, 1_000_000, {
    default: '10000',
    description:
      'Connections of clients that may be open. An address leaves as many as it has; one more is closed as it comes.',
  }),
  tokens: jsonFile<TokenFile | undefined>(
    undefined,
    (document, readSecret, path) => ({ path, holders: parseTokenFile(document, readSecret) }),
    {
      description:
        'File with the hashes of the tokens by which callers are known, and what each may do. It is read again when it changes.',
    },
  ),
  jwtIssuer: optionalText({ description: 'Who issues the JWTs by which callers are known besides: their claim iss.' }),
  jwtAudience: optionalText({ description: 'Whom they are for: their claim aud.' }),
  jwtJwks: optionalText({ description: 'Where the public keys of the issuer are (JWKS): an https URL, or a file.' }),
  jwtAlgorithms: list<string>(/^((RS|PS|ES)(256|384|512)|EdDSA)$/, 'algorithms such as RS256, PS256, ES256 and EdDSA', {
    default: 'RS256,PS256,ES256,EdDSA',
    description: 'By which algorithms they may be signed, separated by commas.',
  }),
  jwtTenantClaim: text({
    default: 'tenant',
    description: 'The claim that names the tenant of a JWT, which each must have; none if there are no tenants.',
  }),
  requestsPerSecond: decimal(0, 1_000_000, {
    default: '0',
    description:
      'Requests that a caller may send in a second to one process, and at once after a rest, where its token says no other; 0 for any number.',
  }),
  openMax: integer(0, 1_000_000_000, {
    default: '0',
    description:
      'Invocations and schedules that the tenant of a caller may have open when it sends another, where its token says no other; 0 for any number.',
  }),
  pingSecret: optionalText({
    description:
      'What a health check may show to ping /cycle without a token: ?key=, or the header Posthaste-Ping-Key.',
    secret: true,
    check: (given) =>
      /^[\w.~-]{16,256}$/.test(given) ? undefined : 'it is not 16 to 256 of the characters A-Z a-z 0-9 - . _ ~',
  }),
  adminPort: portOrOff({
    description:
      'Port for /cycle, /metrics and /stats, which are then not on the other one. While it is on loopback no token is needed there.',
  }),
  adminHost: text({ default: '127.0.0.1', description: 'Address to listen on for these.' }),
  insecure: flag({
    description: 'Whether to listen on more than loopback though neither tokens nor JWTs are configured.',
  }),
  functions: file<FunctionFile | undefined>(undefined, readFunctionFile, {
    description: 'File with the named functions that can be called, as YAML or JSON. It is read again when it changes.',
  }),
  doors: doors({
    description:
      'Which front doors there are; with `=/prefix` behind it one is beneath that. All but raw mode are for named functions.',
  }),
  stream: text({
    default: 'embedded',
    description:
      'Where instructions are kept: embedded, which needs nothing installed, kafka, nats, or the module of another backend: a package, or a path that begins with ./ or /.',
  }),
  streamOptions: text({
    default: '{}',
    description: 'What the module of another backend is given, as JSON.',
    secret: true,
    check: (given) => (isJson(given) ? undefined : 'it is not JSON'),
  }),
  prefix: text({
    default: 'posthaste',
    description: 'What names of topics and streams begin with, so that two installations can share a broker.',
    check: (given) =>
      /^[A-Za-z0-9_-]{1,64}$/.test(given) ? undefined : 'it is not 1 to 64 of the characters A-Z a-z 0-9 _ -',
  }),
  checkpoints: choice(['stream', 'kafka', 'nats'], {
    default: 'stream',
    description:
      'Where the kafka stream keeps checkpoints: in the offsets of its own group, in offsets of groups for each partition, or in NATS.',
  }),
  kafkaBrokers: text({
    default: '127.0.0.1:9092',
    description: 'Kafka brokers to begin with: host:port, separated by commas.',
    check: (given) =>
      /^[^\s,]+:\d+(,[^\s,]+:\d+)*$/.test(given) ? undefined : 'it is not host:port, separated by commas',
  }),
  kafkaPartitions: integer(1, 1_000, {
    default: '24',
    description: 'Partitions of topics that are created: as many listeners can share the work.',
  }),
  kafkaTimerPartitions: integer(1, 1_000, {
    default: '8',
    description: 'Partitions of each topic of timers that is created.',
  }),
  kafkaReplicas: integer(0, 16, {
    default: '0',
    description: 'Replicas of topics that are created; 0 for as many as there are brokers, but no more than 3.',
  }),
  kafkaMinInsyncReplicas: integer(0, 16, {
    default: '0',
    description: 'Replicas that must have a record before it counts as durable; 0 for 2 of 3 or more, else 1.',
  }),
  kafkaSessionTimeout: duration('1s', '5m', {
    default: '30s',
    description: 'After so long without a sign of life of a listener its partitions go to others.',
  }),
  kafkaTls: choice(['off', 'on'], { default: 'off', description: 'Whether to speak TLS with Kafka.' }),
  kafkaTlsCa: optionalText({ description: 'File with the certificates to trust; those of Node if empty.' }),
  kafkaTlsCert: optionalText({ description: 'File with the certificate to show to Kafka.' }),
  kafkaTlsKey: optionalText({ description: 'File with the key of that certificate.' }),
  kafkaSasl: choice(['off', 'plain', 'scram-sha-256', 'scram-sha-512'], {
    default: 'off',
    description: 'How to log in to Kafka.',
  }),
  kafkaUsername: optionalText({ description: 'Who logs in to Kafka.' }),
  kafkaPassword: optionalText({ description: 'The password for it.', secret: true }),
  natsUrl: text({
    default: 'nats://127.0.0.1:4222',
    description: 'NATS servers, separated by commas. May hold a user and a password, or a token.',
    secret: true,
  }),
  natsAckWait: duration('1s', '10m', {
    default: '30s',
    description: 'After so long without a sign of life of a listener its calls go to others.',
  }),
  natsReplicas: integer(1, 5, { default: '1', description: 'Replicas of NATS streams that are created.' }),
  natsCredentials: optionalText({ description: 'File with NATS credentials (.creds).' }),
  natsTlsCa: optionalText({ description: 'File with the certificates to trust; those of Node if empty.' }),
  natsTlsCert: optionalText({ description: 'File with the certificate to show to NATS.' }),
  natsTlsKey: optionalText({ description: 'File with the key of that certificate.' }),
  dataDir: text({
    default: './data',
    description: 'Directory of the embedded stream, and of the view. Processes of one machine may share it.',
  }),
  diskReserve: size('0', '1TiB', {
    default: '256MiB',
    description:
      'Free disk space at which accepting stops, so that what was called can still be recorded. Calls stop at half of it.',
  }),
  journalAge: duration('1m', '3650d', {
    default: '7d',
    description: 'How long the journal, dead letters included, is kept.',
  }),
  journalSize: size('1MiB', '128GiB', {
    default: '8GiB',
    description: 'Size of the journal beyond which the oldest entries go.',
  }),
  view: choice(['on', 'off'], {
    default: 'on',
    description:
      'Whether the accepter shows what became of invocations. Without it there is no control of them either.',
  }),
  viewAge: duration('1m', '3650d', {
    default: '7d',
    description: 'How long invocations that have ended are shown.',
  }),
  viewSize: size('1MiB', '128GiB', {
    default: '8GiB',
    description: 'Size of the view beyond which those that ended first go.',
  }),
  claimAge: duration('1m', '366d', {
    default: '24h',
    description: 'How long an Idempotency-Key stands for its first request.',
  }),
  schedule: text({
    default: '* * * * * *',
    description:
      'When the listener looks for work: a cron expression, with seconds if it has six fields, or off for pings only.',
    check: (given) => (given === 'off' || isSchedule(given) ? undefined : 'it is neither a cron expression nor off'),
  }),
  linger: duration('0ms', '1h', {
    default: '1500ms',
    description:
      'How long the listener waits for more once it has drained the stream. Longer than the schedule, and it never stops looking.',
  }),
  batchRecords: integer(1, 10_000, { default: '500', description: 'Records that the listener pulls at once.' }),
  concurrency: integer(1, 65_536, { default: '512', description: 'Calls running at once in a listener.' }),
  concurrencyPerTarget: integer(1, 65_536, {
    default: '64',
    description: 'Calls running at once for one target origin in a listener.',
  }),
  ratePerTarget: decimal(0, 100_000, {
    default: '0',
    description: 'Calls that begin in a second for one target origin in a listener; 0 for any number.',
  }),
  burstPerTarget: integer(1, 65_536, {
    default: '10',
    description:
      'Calls that may begin at once for one target origin after a rest, where there is a rate; at least what that lets through in 100 ms.',
  }),
  breakerFailures: integer(0, 10_000, {
    default: '10',
    description:
      'Calls of one target origin that must fail in a row before it counts as dead and is not called; 0 for never.',
  }),
  allowTargets: list(originPatterns, `patterns, each ${ORIGIN_PATTERN_FORM}`, {
    default: DEFAULT_EGRESS.allowTargets.join(','),
    description:
      'Which origins may be called, separated by commas: scheme, host, the first part of the host, or port may be *.',
  }),
  denyTargets: list(originPatterns, `patterns, each ${ORIGIN_PATTERN_FORM}`, {
    default: 'none',
    description: 'Which origins may not be called even so, in the same form, or none.',
  }),
  allowAddresses: list(addresses, 'addresses such as 10.0.0.0/8, fd00::/8 or 10.1.2.3', {
    default: LOOPBACK_IF_LOCAL,
    description:
      'Which addresses may be called though they are not public, or none. auto: those of loopback, for a process that is accepter and listener, listens on loopback only, has its stream on this machine, and knows no tokens.',
  }),
  targetPorts: list(ports, 'ports such as 443 or 8000-8999', {
    default: DEFAULT_EGRESS.ports.join(','),
    description: 'Which ports may be called, separated by commas.',
  }),
  targets: jsonFile<readonly TargetRule[]>([], parseTargetFile, {
    description:
      'File that says of targets how calls of them are signed, over which TLS they go, and what is not kept.',
  }),
  keys: jsonFile<readonly SealingKey[]>([], parseKeyFile, {
    description:
      'File with the keys that what is kept is sealed with: the first seals, all of them open. Without it nothing is sealed.',
  }),
  tlsMin: choice(TLS_VERSIONS, {
    default: 'TLSv1.2',
    description: 'The oldest version of TLS that is spoken with targets, where that file says no other.',
  }),
  callTimeout: duration('1ms', '1h', {
    default: '30s',
    description: 'Time-out of a call whose instruction names none.',
  }),
  retryMaxAttempts: integer(1, LIMITS.retryAttemptsMax, {
    default: String(DEFAULT_RETRY_POLICY.maxAttempts),
    description: 'Calls in all, the first included. This and what follows holds for what an instruction does not say.',
  }),
  retryInitialDelay: duration('0ms', formatDuration(LIMITS.retryDelayMsMax), {
    default: formatDuration(DEFAULT_RETRY_POLICY.initialDelayMs),
    description: 'Wait before the second attempt.',
  }),
  retryFactor: decimal(1, LIMITS.retryFactorMax, {
    default: String(DEFAULT_RETRY_POLICY.factor),
    description: 'What each wait is multiplied by.',
  }),
  retryMaxDelay: duration('0ms', formatDuration(LIMITS.retryDelayMsMax), {
    default: formatDuration(DEFAULT_RETRY_POLICY.maxDelayMs),
    description: 'Longest wait between two attempts.',
  }),
  retryJitter: choice(['none', 'equal', 'full'], {
    default: DEFAULT_RETRY_POLICY.jitter,
    description: 'How much of each wait is left to chance: nothing, half of it, or all.',
  }),
  retryMaxAge: duration('1ms', formatDuration(LIMITS.retryAgeMsMax), {
    default: formatDuration(DEFAULT_RETRY_POLICY.maxAgeMs),
    description:
      'No attempt begins later than this after the first one could be made. To be the same for all processes.',
  }),
  retryStatuses: list(new RegExp(STATUSES_PATTERN), 'statuses such as 503, 5xx or 502-599', {
    default: DEFAULT_RETRY_POLICY.statuses.join(','),
    description: 'Which answers are tried again, separated by commas, or none.',
  }),
  retryErrors: list<CallError>(new RegExp(`^(${CALL_ERRORS.join('|')})$`), 'codes of failed calls', {
    default: DEFAULT_RETRY_POLICY.errors.join(','),
    description: 'Which calls without a whole answer are tried again, separated by commas, or none.',
  }),
  responseSize: size('0', '512KiB', {
    default: '256KiB',
    description: 'Response bodies are kept and forwarded up to this size.',
  }),
  stopGrace: duration('0ms', '1h', {
    default: '10s',
    description: 'How long running calls may go on when the process is asked to stop.',
  }),
  logLevel: choice(['debug', 'info', 'warn', 'error', 'silent'], { default: 'info', description: 'What is logged.' }),
  logAttempts: choice(['failed', 'all'], { default: 'failed', description: 'Which attempts get a log line.' }),
} as const satisfies Record<string, Setting<unknown>>

export type SettingKey = keyof typeof SETTINGS

type ValueOf<S> = S extends Setting<infer T> ? T : never

/** Every setting's value. Durations in milliseconds, sizes in bytes. */
export type Config = { readonly [K in SettingKey]: ValueOf<(typeof SETTINGS)[K]> }

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[]

export function environmentName(key: string): string {
  return `POSTHASTE_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
