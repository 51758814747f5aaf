import type { JournalEntry } from '@posthaste/core'
import t, { type Test } from 'tap'
import { type Backend, kafka, nats, testOn } from './harness/backends.js'
import type { BrokerInstallation } from './harness/broker-installation.js'
import { readJournal } from './harness/journal.js'
import { kcat, type Producer, plainNats } from './harness/other-producers.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { checkpointReached } from './harness/settled.js'
import { TargetServer } from './harness/target-server.js'

// What was written to a broker by tools that know nothing of Posthaste.

t.setTimeout(180_000)

const producers: readonly [Backend<BrokerInstallation>, Producer][] = [
  [nats, plainNats],
  [kafka, kcat],
]

for (const [broker, producer] of producers) {
  const backend = { ...broker, lacking: broker.lacking ?? producer.lacking }
  testOn(t, backend, 'records of other producers', 60_000, (t) => checkRecords(t, broker.create(t), producer))
}

async function checkRecords(t: Test, installation: BrokerInstallation, producer: Producer): Promise<void> {
  const target = await TargetServer.start(({ attempt, path }) => ({
    status: path === '/fails' && attempt === 1 ? 500 : 200,
  }))
  t.teardown(() => target.stop())
  const posthaste = await PosthasteProcess.start({ role: 'start', settings: installation.settings })
  t.teardown(() => posthaste.stop())
  const json = (path: string, more: object = {}) => JSON.stringify({ target: `${target.url}/${path}`, ...more })
  const pretty = JSON.stringify({ target: `${target.url}/pretty`, body: { any: 'json' } }, undefined, 2)
  const notBefore = new Date(Date.now() + 2_000).toISOString()
  const garbage = Buffer.from([0x7b, 0x00, 0xff, 0x0a, 0x80])
  const values = [
    json('plain'),
    pretty,
    garbage,
    'null',
    json('fails', { retry: { initialDelay: '100ms' } }),
    JSON.stringify({ target: 'ftp://192.0.2.1/' }),
    json('deferred', { notBefore, forwardTo: `${target.url}/forwarded` }),
    json('plain'),
  ]
  await producer.produce(
    installation,
    values.map((value) => Buffer.from(value)),
  )
  const calls = ['/plain', '/plain', '/pretty', '/fails', '/fails', '/deferred', '/forwarded']
  await target.until(({ arrivals }) => arrivals.length >= calls.length, 30_000)
  await checkpointReached([posthaste], 15_000)
  await posthaste.stop()

  t.strictSame(target.arrivals.map(({ path }) => path).sort(), calls.sort(), 'each is called as if it had been POSTed')
  t.match(
    target.arrivals.find(({ path }) => path === '/pretty'),
    { method: 'POST', attempt: 1, body: '{"any":"json"}' },
  )
  const plain = target.arrivals.filter(({ path }) => path === '/plain')
  t.equal(new Set(plain.map(({ id }) => id)).size, 2, 'the same record twice is two invocations')
  const deferred = target.arrivals.find(({ path }) => path === '/deferred')
  t.ok((deferred?.atMs as number) >= Date.parse(notBefore), 'what is deferred is not early')

  const journal = await readJournal(installation)
  const letters = journal.filter(({ state }) => state === 'failed')
  t.equal(letters.length, 3, 'what cannot be read is a dead letter')
  t.ok(
    letters.every(({ failure }) => failure?.code === 'record-unreadable' && failure.detail !== ''),
    'with its reason',
  )
  const letter = letters.find(({ record }) => garbage.equals(record)) as JournalEntry
  t.ok(letter, 'and the bytes that came')
  const finals = journal.filter(({ state }) => state !== 'retrying').map(({ id }) => id)
  t.equal(finals.length, values.length + 1, 'every record, and the forward, has one end')
  t.equal(new Set(finals).size, finals.length)
}
