import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { egressPolicyOf, withLoopbackIfLocal } from '../src/egress.js'
import { loadConfig, type SettingKey } from '../src/index.js'

type Flags = Partial<Record<SettingKey, string>>

t.test('what is on this machine may be called by a process that nobody beyond it can ask', async (t) => {
  const local: Flags[] = [
    {},
    { host: 'localhost' },
    { host: '::1' },
    { stream: 'kafka' },
    { stream: 'kafka', kafkaBrokers: 'localhost:9092,[::1]:9093', checkpoints: 'nats' },
    { stream: 'nats' },
    { stream: 'nats', natsUrl: 'nats://me:a@b@127.0.0.1:4222,tls://localhost' },
    { allowAddresses: 'auto,10.0.0.0/8' },
  ]
  for (const flags of local) t.ok(mayCallLoopback(flags), JSON.stringify(flags))
})

t.test('otherwise it may not', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const tokens = join(directory, 'tokens.json')
  writeFileSync(tokens, JSON.stringify({ tokens: [{ name: 'a', sha256: 'a'.repeat(64), scopes: ['invoke'] }] }))
  const others: Flags[] = [
    { host: '0.0.0.0' },
    { host: '::' },
    { host: '192.0.2.1' },
    { host: 'localhost.example' },
    { stream: 'kafka', kafkaBrokers: '127.0.0.1:9092,kafka:9092' },
    { stream: 'kafka', checkpoints: 'nats', natsUrl: 'nats://nats:4222' },
    { stream: 'nats', natsUrl: 'nats://127.0.0.1:4222@nats.example' },
    { stream: 'nats', natsUrl: 'nats.example' },
    { stream: './backend.js' },
    { tokens },
    { allowAddresses: 'none' },
    { allowAddresses: '10.0.0.0/8' },
  ]
  for (const flags of others) t.notOk(mayCallLoopback(flags), JSON.stringify(flags))
  for (const role of ['accepter', 'listener', 'cycle']) t.notOk(mayCallLoopback({}, role), role)
})

t.test('every setting counts', async (t) => {
  const flags = { allowTargets: 'https://*.example', denyTargets: 'https://b.example', targetPorts: '443' }
  const policy = egressPolicyOf(loadConfig({ environment: {}, flags: { ...flags, allowAddresses: 'auto,10.0.0.1' } }))
  t.ok(policy.allowsUrl('https://a.example/'))
  for (const url of ['http://a.example:443/', 'https://b.example/', 'https://a.example:8443/', 'https://other.test/'])
    t.notOk(policy.allowsUrl(url), url)
  t.ok(policy.allowsAddress('10.0.0.1'))
  t.notOk(policy.allowsAddress('127.0.0.1'), 'by itself "auto" allows nothing')
})

function mayCallLoopback(flags: Flags, role = 'all'): boolean {
  const policy = egressPolicyOf(withLoopbackIfLocal(loadConfig({ environment: {}, flags }), role))
  return policy.allowsUrl('http://127.0.0.1:8081/') && policy.allowsUrl('http://[::1]:8081/')
}
