import type { SettingKey } from '../src/index.js'

const MIB = 1024 ** 2

const anyText = [
  ['', ''],
  ['/some where/a.pem', '/some where/a.pem'],
] as const

/** Texts that a setting takes, and the values that they are. */
export const good: Readonly<Record<SettingKey, readonly (readonly [string, unknown])[]>> = {
  host: [
    ['::1', '::1'],
    ['example.com', 'example.com'],
  ],
  port: [
    ['0', 0],
    ['65535', 65_535],
  ],
  connections: [
    ['1', 1],
    ['1000000', 1_000_000],
  ],
  stream: ['embedded', 'kafka', 'nats', './backend.js', '@someone/backend'].map((stream) => [stream, stream]),
  streamOptions: [
    ['{}', '{}'],
    ['{"url":"a"}', '{"url":"a"}'],
  ],
  prefix: [
    ['a', 'a'],
    ['Team_1-prod', 'Team_1-prod'],
  ],
  checkpoints: [
    ['stream', 'stream'],
    ['kafka', 'kafka'],
    ['nats', 'nats'],
  ],
  kafkaBrokers: [
    ['localhost:9092', 'localhost:9092'],
    ['a:1,[::1]:2', 'a:1,[::1]:2'],
  ],
  kafkaPartitions: [
    ['1', 1],
    ['1000', 1_000],
  ],
  kafkaTimerPartitions: [
    ['1', 1],
    ['1000', 1_000],
  ],
  kafkaReplicas: [
    ['0', 0],
    ['3', 3],
  ],
  kafkaMinInsyncReplicas: [
    ['0', 0],
    ['2', 2],
  ],
  kafkaSessionTimeout: [
    ['1s', 1_000],
    ['5m', 300_000],
  ],
  kafkaTls: [
    ['off', 'off'],
    ['on', 'on'],
  ],
  kafkaTlsCa: anyText,
  kafkaTlsCert: anyText,
  kafkaTlsKey: anyText,
  kafkaSasl: ['off', 'plain', 'scram-sha-256', 'scram-sha-512'].map((mechanism) => [mechanism, mechanism]),
  kafkaUsername: anyText,
  kafkaPassword: anyText,
  natsUrl: [
    ['nats://a:4222', 'nats://a:4222'],
    ['tls://a,tls://b', 'tls://a,tls://b'],
  ],
  natsAckWait: [
    ['1s', 1_000],
    ['10m', 600_000],
  ],
  natsReplicas: [
    ['1', 1],
    ['5', 5],
  ],
  natsCredentials: anyText,
  natsTlsCa: anyText,
  natsTlsCert: anyText,
  natsTlsKey: anyText,
  dataDir: [['/var/lib/post haste', '/var/lib/post haste']],
  diskReserve: [
    ['0', 0],
    ['1', 1],
    ['5B', 5],
    ['2KiB', 2_048],
    ['1TiB', 1024 ** 4],
  ],
  journalAge: [
    ['1m', 60_000],
    ['PT60S', 60_000],
    ['3650d', 3650 * 86_400_000],
  ],
  journalSize: [
    ['1MiB', MIB],
    ['128GiB', 128 * 1024 ** 3],
  ],
  view: [
    ['on', 'on'],
    ['off', 'off'],
  ],
  viewAge: [
    ['1m', 60_000],
    ['3650d', 3_650 * 86_400_000],
  ],
  viewSize: [
    ['1MiB', 1024 ** 2],
    ['128GiB', 128 * 1024 ** 3],
  ],
  claimAge: [
    ['1m', 60_000],
    ['366d', 366 * 86_400_000],
  ],
  schedule: [
    ['off', 'off'],
    ['*/5 * * * *', '*/5 * * * *'],
    ['0 30 8 * * mon', '0 30 8 * * mon'],
  ],
  linger: [
    ['0ms', 0],
    ['0s', 0],
    ['1h', 3_600_000],
    ['1.5s', 1_500],
  ],
  batchRecords: [
    ['1', 1],
    ['10000', 10_000],
  ],
  concurrency: [
    ['1', 1],
    ['65536', 65_536],
  ],
  concurrencyPerTarget: [
    ['1', 1],
    ['65536', 65_536],
  ],
  ratePerTarget: [
    ['0', 0],
    ['0.5', 0.5],
    ['100000', 100_000],
  ],
  burstPerTarget: [
    ['1', 1],
    ['65536', 65_536],
  ],
  breakerFailures: [
    ['0', 0],
    ['10000', 10_000],
  ],
  callTimeout: [
    ['1ms', 1],
    ['1h', 3_600_000],
  ],
  retryMaxAttempts: [
    ['1', 1],
    ['100', 100],
  ],
  retryInitialDelay: [
    ['0ms', 0],
    ['7d', 604_800_000],
  ],
  retryFactor: [
    ['1', 1],
    ['1.5', 1.5],
    ['10', 10],
  ],
  retryMaxDelay: [
    ['0ms', 0],
    ['7d', 604_800_000],
  ],
  retryJitter: ['none', 'equal', 'full'].map((jitter) => [jitter, jitter]),
  retryMaxAge: [
    ['1ms', 1],
    ['366d', 31_622_400_000],
  ],
  retryStatuses: [
    ['none', []],
    ['429,5xx,502-599', ['429', '5xx', '502-599']],
  ],
  retryErrors: [
    ['none', []],
    ['timeout,tls-failed', ['timeout', 'tls-failed']],
  ],
  responseSize: [
    ['0', 0],
    ['512KiB', 512 * 1024],
  ],
  stopGrace: [
    ['0ms', 0],
    ['1h', 3_600_000],
  ],
  logLevel: ['debug', 'info', 'warn', 'error', 'silent'].map((level) => [level, level]),
  logAttempts: [
    ['failed', 'failed'],
    ['all', 'all'],
  ],
}

/** Texts that a setting does not take. */
export const bad: Readonly<Record<SettingKey, readonly string[]>> = {
  host: [''],
  port: ['', '-1', '65536', '80.5', '1e3', '0x50', ' 80', 'http', '99999999999999999'],
  connections: ['', '0', '1000001', 'many'],
  stream: [''],
  streamOptions: ['', '{', 'a=b'],
  prefix: ['', 'a.b', 'a b', 'ü', 'a'.repeat(65)],
  checkpoints: ['', 'Kafka', 'embedded'],
  kafkaBrokers: ['', 'localhost', 'a:1,', 'a:1, b:2', 'kafka://a:1b'],
  kafkaPartitions: ['', '0', '1001'],
  kafkaTimerPartitions: ['', '0', '1001'],
  kafkaReplicas: ['', '-1', '17'],
  kafkaMinInsyncReplicas: ['', '-1', '17'],
  kafkaSessionTimeout: ['', '0s', '6m', '30'],
  kafkaTls: ['', 'true'],
  kafkaTlsCa: [],
  kafkaTlsCert: [],
  kafkaTlsKey: [],
  kafkaSasl: ['', 'gssapi'],
  kafkaUsername: [],
  kafkaPassword: [],
  natsUrl: [''],
  natsAckWait: ['', '0s', '11m'],
  natsReplicas: ['', '0', '6'],
  natsCredentials: [],
  natsTlsCa: [],
  natsTlsCert: [],
  natsTlsKey: [],
  dataDir: [''],
  diskReserve: ['', '64MB', '64 MiB', '-1', '1.5GiB', '2TiB', 'all'],
  journalAge: ['', '7', '59s', '3651d', '1y', '-1d'],
  journalSize: ['', '1KiB', '129GiB', '8'],
  view: ['', 'true', 'OFF'],
  viewAge: ['', '7', '59s', '3651d'],
  viewSize: ['', '1KiB', '129GiB'],
  claimAge: ['', '24', '59s', '367d'],
  schedule: ['', 'on', '* * * *', '61 * * * *', 'every second'],
  linger: ['', '1500', '61m', '-1s'],
  batchRecords: ['', '0', '10001', '1.5'],
  concurrency: ['', '0', '65537'],
  concurrencyPerTarget: ['', '0', '65537'],
  ratePerTarget: ['', '-1', '100001', '1e3'],
  burstPerTarget: ['', '0', '65537', '1.5'],
  breakerFailures: ['', '-1', '10001'],
  callTimeout: ['', '0ms', '2h', '30'],
  retryMaxAttempts: ['', '0', '101'],
  retryInitialDelay: ['', '8d', '1'],
  retryFactor: ['', '0.9', '11', '1e0', '2x'],
  retryMaxDelay: ['', '8d', '1'],
  retryJitter: ['', 'some'],
  retryMaxAge: ['', '0ms', '367d', '1'],
  retryStatuses: ['', '200', '5xx,', '5xx, 429', '600', '5x', 'none,429'],
  retryErrors: ['', 'status', 'timeout,', 'timeout, tls-failed', 'cancelled'],
  responseSize: ['', '513KiB', '1MiB', '-1'],
  stopGrace: ['', '2h', '10'],
  logLevel: ['', 'trace', 'INFO', 'off'],
  logAttempts: ['', 'none', 'true'],
}
