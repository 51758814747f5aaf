import t, { type Test } from 'tap'
import { type Backend, kafka, nats, testOn } from './harness/backends.js'
import type { BrokerInstallation } from './harness/broker-installation.js'
import {
  asCalled,
  howEnded,
  lackingAddresses,
  missingOf,
  openWatched,
  PLACES,
  startGuarded,
  untilEnded,
} from './harness/egress-setting.js'
import { kcat, type Producer, plainNats } from './harness/other-producers.js'

// What those who may write to a broker try to have called, and to have said as if we did.

t.setTimeout(280_000)

const producers: readonly [Backend<BrokerInstallation>, Producer][] = [
  [nats, plainNats],
  [kafka, kcat],
]

for (const [broker, producer] of producers) {
  const backend = { ...broker, lacking: lackingAddresses ?? broker.lacking ?? producer.lacking }
  testOn(t, backend, 'what is put on the stream', 130_000, (t) => check(t, broker.create(t), producer))
}

/** What is not sent, in records that are called. */
const LEFT_OUT = { 'posthaste-id': 'evil', 'Posthaste-Attempt': ['evil', '9'], 'posthaste-own': 'evil' }
/** Headers for which a record is not called. */
const NOT_CALLED = ['host', 'Content-Length', 'connection', 'transfer_encoding', 'TE', 'upgrade', 'posthaste_id', 'a b']

async function check(t: Test, installation: BrokerInstallation, producer: Producer): Promise<void> {
  const { good, invalid, passes, port, refused } = await openWatched(t)
  const posthaste = await startGuarded(t, installation, port)
  const { target: _, ...told } = PLACES
  const records: object[] = [
    ...[...refused, ...invalid].map((target) => ({ target })),
    ...Object.values(told).flatMap((instruct, nth) => everyThird(refused, nth).map((url) => instruct(url, good))),
    ...NOT_CALLED.map((name) => ({ target: good, headers: { [name]: 'evil' } })),
    ...passes.map((target) => ({ target, forwardTo: target, headers: LEFT_OUT })),
  ]
  await producer.produce(
    installation,
    records.map((record) => Buffer.from(JSON.stringify(record))),
  )

  const wanted = [...refused, ...refused].map(asCalled)
  const unreadable = invalid.length + NOT_CALLED.length
  const count = records.length + refused.length + passes.length
  const ends = await untilEnded(installation, (ends) =>
    ends.length < count ? [`${count - ends.length}`] : missingOf(wanted, ends),
  )
  t.equal(ends.length, count, 'each has one end')
  t.equal(ends.filter(({ failure }) => failure?.code === 'record-unreadable').length, unreadable)
  const endsOf = (urls: readonly string[]): string[] => {
    const called = urls.map(asCalled)
    return [...new Set(ends.filter(({ target }) => called.includes(target ?? '')).map(howEnded))]
  }
  t.strictSame(endsOf(refused), ['failed target-refused'])
  t.strictSame(endsOf(passes), ['succeeded 200'])

  t.strictSame([...new Set(port.caught)], [], 'no connection came at an address that may not be called')
  const sent = port.requests.map(({ rawHeaders }) => rawHeaders.join('\n'))
  t.ok(sent.length >= 2 * passes.length)
  t.strictSame(
    sent.filter((headers) => headers.includes('evil')),
    [],
  )
  await posthaste.stop()
}

function everyThird(urls: readonly string[], nth: number): string[] {
  return urls.filter((_, index) => index % 3 === nth)
}
