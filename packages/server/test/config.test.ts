import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CALL_ERRORS, PosthasteError } from '@posthaste/core'
import t, { type Test } from 'tap'
import {
  type ConfigSources,
  environmentName,
  flagName,
  loadConfig,
  maskConfig,
  SETTING_KEYS,
  SETTINGS,
} from '../src/index.js'
import { bad, good } from './setting-cases.js'

const MIB = 1024 ** 2

t.test('the defaults are valid, and are these', async (t) => {
  t.strictSame(loadConfig({ environment: {} }), {
    host: '127.0.0.1',
    port: 8080,
    connections: 10_000,
    tokens: undefined,
    jwtIssuer: '',
    jwtAudience: '',
    jwtJwks: '',
    jwtAlgorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    jwtTenantClaim: 'tenant',
    requestsPerSecond: 0,
    openMax: 0,
    pingSecret: '',
    adminPort: 'off',
    adminHost: '127.0.0.1',
    insecure: false,
    functions: undefined,
    doors: ['raw', 'openfaas', 'boltic', 'aws', 'gateway', 'alibaba', 'prefer'],
    stream: 'embedded',
    streamOptions: '{}',
    prefix: 'posthaste',
    checkpoints: 'stream',
    kafkaBrokers: '127.0.0.1:9092',
    kafkaPartitions: 24,
    kafkaTimerPartitions: 8,
    kafkaReplicas: 0,
    kafkaMinInsyncReplicas: 0,
    kafkaSessionTimeout: 30_000,
    kafkaTls: 'off',
    kafkaTlsCa: '',
    kafkaTlsCert: '',
    kafkaTlsKey: '',
    kafkaSasl: 'off',
    kafkaUsername: '',
    kafkaPassword: '',
    natsUrl: 'nats://127.0.0.1:4222',
    natsAckWait: 30_000,
    natsReplicas: 1,
    natsCredentials: '',
    natsTlsCa: '',
    natsTlsCert: '',
    natsTlsKey: '',
    dataDir: './data',
    diskReserve: 256 * MIB,
    journalAge: 7 * 86_400_000,
    journalSize: 8 * 1024 * MIB,
    view: 'on',
    viewAge: 7 * 86_400_000,
    viewSize: 8 * 1024 * MIB,
    claimAge: 86_400_000,
    schedule: '* * * * * *',
    linger: 1_500,
    batchRecords: 500,
    concurrency: 512,
    concurrencyPerTarget: 64,
    ratePerTarget: 0,
    burstPerTarget: 10,
    breakerFailures: 10,
    allowTargets: ['*://*:*'],
    denyTargets: [],
    allowAddresses: ['auto'],
    targetPorts: ['80', '443', '1024-65535'],
    targets: [],
    keys: [],
    tlsMin: 'TLSv1.2',
    callTimeout: 30_000,
    retryMaxAttempts: 5,
    retryInitialDelay: 1_000,
    retryFactor: 2,
    retryMaxDelay: 300_000,
    retryJitter: 'full',
    retryMaxAge: 86_400_000,
    retryStatuses: ['408', '425', '429', '500', '502-599'],
    retryErrors: [...CALL_ERRORS],
    responseSize: 256 * 1024,
    stopGrace: 10_000,
    logLevel: 'info',
    logAttempts: 'failed',
  })
})

t.test('a name is written in three ways', async (t) => {
  t.strictSame(
    ['host', 'dataDir', 'concurrencyPerTarget'].map((key) => [flagName(key), environmentName(key)]),
    [
      ['host', 'POSTHASTE_HOST'],
      ['data-dir', 'POSTHASTE_DATA_DIR'],
      ['concurrency-per-target', 'POSTHASTE_CONCURRENCY_PER_TARGET'],
    ],
  )
})

t.test('a flag comes before the environment, that before the file, that before the default', async (t) => {
  const file = write(t, { port: 3, batchRecords: '33', linger: '3s' })
  const environment = { POSTHASTE_CONFIG: file, POSTHASTE_PORT: '2', POSTHASTE_BATCH_RECORDS: '22', HOME: '/' }
  const config = loadConfig({ flags: { port: '1' }, environment })
  t.match(config, { port: 1, batchRecords: 22, linger: 3_000, concurrency: 512 })
})

t.test('a file that is given comes before the one that the environment names', async (t) => {
  const [given, named] = [write(t, { port: 1 }), write(t, { port: 2 })]
  t.equal(loadConfig({ file: given, environment: { POSTHASTE_CONFIG: named } }).port, 1)
  t.equal(loadConfig({ environment: { POSTHASTE_CONFIG: named } }).port, 2)
})

t.test('every setting takes what it says, from wherever it comes, and nothing else', async (t) => {
  t.strictSame(Object.keys(good), SETTING_KEYS)
  for (const key of SETTING_KEYS) {
    for (const [text, value] of good[key]) {
      t.strictSame(loadConfig({ flags: { [key]: text }, environment: {} })[key], value, `${key} ${text}`)
      t.strictSame(loadConfig({ environment: { [environmentName(key)]: text } })[key], value)
      t.strictSame(loadConfig({ file: write(t, { [key]: text }), environment: {} })[key], value)
    }
    for (const text of bad[key]) {
      const wheres: readonly (readonly [string, ConfigSources])[] = [
        [`--${flagName(key)}: `, { flags: { [key]: text }, environment: {} }],
        [`${environmentName(key)}: `, { environment: { [environmentName(key)]: text } }],
        [`"${key}" in the configuration file: `, { file: write(t, { [key]: text }), environment: {} }],
      ]
      for (const [where, sources] of wheres) {
        const [fault, ...more] = faultsOf(sources)
        t.equal(more.length, 0)
        const shown = SETTINGS[key].secret ? 'the value' : `"${text}"`
        t.ok(fault?.startsWith(`${where}${shown} is not valid: it is `), `${fault}`)
      }
    }
  }
})

t.test('what is wrong is said all together', async (t) => {
  const file = write(t, { prot: 1, logLevel: 'loud', linger: '5s' })
  const faults = faultsOf({
    flags: { port: 'a' },
    file,
    environment: { POSTHASTE_PROT: '1', POSTHASTE_CONCURRENCY: '0', POSTHASTE_: '', posthaste_port: 'x', PATH: '/' },
  })
  t.strictSame(faults.sort(), [
    '"logLevel" in the configuration file: "loud" is not valid: it is none of debug, info, warn, error, silent.',
    '"prot" in the configuration file: there is no such setting.',
    '--port: "a" is not valid: it is not a whole number.',
    'POSTHASTE_: there is no such setting.',
    'POSTHASTE_CONCURRENCY: "0" is not valid: it is not from 1 to 65536.',
    'POSTHASTE_PROT: there is no such setting.',
  ])
})

t.test('a fault of a range says it as people write it', async (t) => {
  t.strictSame(faultsOf({ environment: { POSTHASTE_LINGER: '2h', POSTHASTE_JOURNAL_SIZE: '1B' } }), [
    `POSTHASTE_JOURNAL_SIZE: "1B" is not valid: it is not from ${MIB} bytes to ${128 * 1024 ** 3} bytes.`,
    'POSTHASTE_LINGER: "2h" is not valid: it is not from 0ms to 1h.',
  ])
})

t.test('a file is an object of strings and numbers', async (t) => {
  t.equal(loadConfig({ file: write(t, {}), environment: {} }).port, 8080)
  t.equal(loadConfig({ file: write(t, { port: 9090 }), environment: {} }).port, 9090)
  for (const value of [null, true, {}, ['a'], [80]])
    t.strictSame(faultsOf({ file: write(t, { host: value }), environment: {} }), [
      '"host" in the configuration file is not a string or a number.',
    ])
  for (const content of ['[]', 'null', '"a"', '5'])
    t.match(faultsOf({ file: write(t, content), environment: {} }), [
      /^The configuration file .* is not a JSON object\.$/,
    ])
  for (const content of ['', '{', 'port: 1'])
    t.match(faultsOf({ file: write(t, content), environment: {} }), [/^The configuration file .* cannot be read: /])
  for (const path of ['/no/such/file.json', tmpdir(), ''])
    t.match(faultsOf({ environment: { POSTHASTE_CONFIG: path, POSTHASTE_PORT: 'a' } }), [
      /cannot be read/,
      /POSTHASTE_PORT/,
    ])
  t.match(faultsOf({ file: write(t, '{"__proto__": {"port": 1}}'), environment: {} }), [/no such setting/])
})

t.test('the environment of the process counts if no other is given', async (t) => {
  // What tells tests of their brokers is no setting.
  const before = { ...process.env }
  for (const name of Object.keys(before)) if (name.startsWith('POSTHASTE_TEST_')) delete process.env[name]
  process.env.POSTHASTE_PORT = '4711'
  t.teardown(() => {
    delete process.env.POSTHASTE_PORT
    Object.assign(process.env, before)
  })
  t.equal(loadConfig().port, 4711)
})

t.test('what is secret is shown nowhere', async (t) => {
  const secrets = { kafkaPassword: 'hunter2', natsUrl: 'nats://me:hunter2@a', streamOptions: '{"token":"hunter2"}' }
  t.notMatch(JSON.stringify(maskConfig(loadConfig({ environment: {}, flags: secrets }))), /hunter2/)
  const setting = SETTINGS.port as { secret: boolean }
  setting.secret = true
  t.teardown(() => {
    setting.secret = false
  })
  t.equal(maskConfig(loadConfig({ environment: {} })).port, '***')
  t.strictSame(faultsOf({ environment: { POSTHASTE_PORT: 'hunter2' } }), [
    'POSTHASTE_PORT: the value is not valid: it is not a whole number.',
  ])
})

function faultsOf(sources: ConfigSources): string[] {
  try {
    loadConfig(sources)
  } catch (error) {
    if (!(error instanceof PosthasteError) || error.code !== 'invalid-configuration') throw error
    return error.fields.map(({ detail }) => detail)
  }
  return []
}

function write(t: Test, content: object | string): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'posthaste.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
