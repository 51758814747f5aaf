import { setTimeout as sleep } from 'node:timers/promises'
import { type Checkpoint, type CheckpointStore, type Claim, NEW_CHECKPOINT, type Saved } from '@posthaste/storage'
import type { Consumer, Delivery, Stream } from '@posthaste/stream'
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { partitionOf } from '../src/partition-of.js'
import { endOf, GROUP, ofOneKey, oneOfEachPartition, pull, record, storageFor, textsOf, until } from './kafka-calls.js'
import { brokers, type KafkaStorage, noBroker, SESSION_MS } from './kafka-harness.js'

/** A journal entry says what it is about in this header; here it is written by hand, as a late owner would. */
const ABOUT = 'posthaste-about'

if (noBroker) t.test('members of a Kafka group', { skip: noBroker }, async () => undefined)
else tests()

function tests(): void {
  t.test('members that come and go neither lose nor repeat what is completed', { timeout: 60_000 }, async (t) => {
    const storage = storageFor(t)
    const ended = new Map<string, number>()
    const first = await work(storage, ended)
    let appended = 0
    const appending = (async () => {
      for (; appended < 2_000; appended += 20) {
        const some = Array.from({ length: 20 }, (_, index) => record(`key-${appended + index}`))
        await first.stream.append('calls', some)
        await sleep(40)
      }
    })()
    const second = await work(storage, ended)
    await until(async () => second.count() > 50)
    const third = await work(storage, ended)
    await until(async () => third.count() > 20)
    await second.stop()
    await sleep(500)
    const fourth = await work(storage, ended)
    await until(async () => fourth.count() > 20)
    await third.stop()
    await appending
    await until(async () => ended.size === appended)
    await sleep(300)
    t.strictSame(
      [...ended].filter(([, times]) => times > 1),
      [],
      'nothing ends twice',
    )
    await Promise.all([first.stop(), fourth.stop()])
  })

  t.test('what an owner of before records late counts, if it is the first', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    await stream.append('calls', [ofOneKey('a'), ofOneKey('b')])
    const consumer = await stream.consume(GROUP)
    const [a, b] = (await pull(consumer, 2)) as [Delivery, Delivery]
    await writeLate(storage, a, 'their end')
    t.equal(await b.complete({ journal: [endOf(b)] }), 'done', 'of another turn')
    await writeLate(storage, b, 'much too late')
    t.equal(await a.complete({ journal: [endOf(a)], children: [record('child')] }), 'lost')

    const [again] = (await consumer.pull({ recordsMax: 10, bytesMax: 1e9, waitMs: 15_000 })) as [Delivery]
    t.equal(again.record.offset, a.record.offset, 'it is delivered again')
    t.equal(String(Buffer.from((await again.begin(again.record)) as Uint8Array)), 'their end')
    t.equal(await again.complete({ again: true, children: [ofOneKey('child')] }), 'done')
    t.strictSame(textsOf(await pull(consumer, 1)), ['child'])
    await stream.stop()
  })

  t.test('what an owner of before records late of a record that is put off is not lost', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    await stream.append('calls', ['a', 'b', 'c', 'd'].map(ofOneKey))
    const consumer = await stream.consume(GROUP)
    const [a, b, c, d] = (await pull(consumer, 4)) as [Delivery, Delivery, Delivery, Delivery]
    const aside = ({ record }: Delivery) => ({ aside: true, timers: [{ ...record, dueMs: Date.now() + 1_000 }] })
    const comesBack = async (text: string): Promise<void> => {
      const [back] = (await consumer.pull({ recordsMax: 10, bytesMax: 1e9, waitMs: 15_000 })) as [Delivery]
      t.strictSame(textsOf([back]), [text])
      t.equal(String(Buffer.from((await back.begin(back.record)) as Uint8Array)), `their end of ${text}`)
      t.equal(await back.complete({ again: true, children: [ofOneKey(`child of ${text}`)] }), 'done')
      t.strictSame(textsOf(await pull(consumer, 1)), [`child of ${text}`])
    }
    t.equal(await a.complete(aside(a)), 'done')
    await writeLate(storage, a, 'their end of a')
    t.equal(await b.complete({ journal: [endOf(b)] }), 'done', 'it is read now')
    await comesBack('a')

    await writeLate(storage, c, 'their end of c')
    t.equal(await d.complete({ journal: [endOf(d)] }), 'done', 'it is read while its record is in work')
    t.equal(await c.complete(aside(c)), 'lost', 'that is not put off any more')
    await comesBack('c')
    await stream.stop()
  })

  t.test('checkpoints may be kept elsewhere, and fence who does not know yet that it lost', async (t) => {
    const storage = storageFor(t)
    const checkpoints = new MemoryCheckpoints()
    const stream = storage.open({ checkpoints })
    await stream.start()
    await stream.append('calls', ['a', 'b', 'c'].map(ofOneKey))
    const deliveries = (await pull(await stream.consume(GROUP), 3)) as [Delivery, Delivery, Delivery]
    t.equal(await deliveries[1].complete({ journal: [endOf(deliveries[1])] }), 'done')
    await stream.stop()

    const next = storage.open({ checkpoints })
    await next.start()
    const again = (await pull(await next.consume(GROUP), 2)) as [Delivery, Delivery]
    t.strictSame(textsOf(again), ['a', 'c'])
    await checkpoints.claim(`${storage.prefix}.${GROUP}/${partitionOf('one-key', 4)}`)
    await again[0].complete({ journal: [endOf(again[0])] })
    await until(async () => again[1].lost.aborted)
    t.equal(await again[1].complete({ journal: [endOf(again[1])] }), 'lost')
    await next.stop()
  })

  t.test('who is refused while cut off from its group takes over again', { timeout: 60_000 }, async (t) => {
    const storage = storageFor(t)
    const checkpoints = new MemoryCheckpoints()
    const stream = storage.open({ checkpoints, sessionTimeoutMs: 10_000 })
    await stream.start()
    await stream.append('calls', ['a', 'b'].map(ofOneKey))
    const consumer = await stream.consume(GROUP)
    const [a, b] = (await pull(consumer, 2)) as [Delivery, Delivery]
    let release = (): void => undefined
    checkpoints.heldUp = new Promise((resolve) => {
      release = resolve
    })
    t.equal(await a.complete({ journal: [endOf(a)] }), 'done')
    await until(async () => checkpoints.isHeldUp)
    storage.cut(stream)
    await until(async () => !b.held())
    await checkpoints.claim(`${storage.prefix}.${GROUP}/${partitionOf('one-key', 4)}`)
    release()
    await until(async () => b.lost.aborted)
    storage.mend(stream)
    t.strictSame(textsOf(await pull(consumer, 1)), ['b'])
    await stream.stop()
  })

  t.test('a member that was silent for too long holds nothing', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    const consumer = await stream.consume(GROUP)
    await stream.append('calls', [record('a')])
    const [delivery] = (await pull(consumer, 1)) as [Delivery]
    t.equal(delivery.held(), true)
    storage.cut(stream)
    const startedMs = performance.now()
    await until(async () => !delivery.held())
    t.ok(performance.now() - startedMs < SESSION_MS, 'by its own clock, before it can be given away')
    storage.mend(stream)
    await stream.stop()
  })

  t.test('a call that is checked out goes on when its partition is given away', async (t) => {
    const storage = storageFor(t)
    const [first, second] = [storage.open(), storage.open()]
    await Promise.all([first.start(), second.start()])
    const consumer = await first.consume(GROUP)
    await first.append('calls', oneOfEachPartition())
    const deliveries = await pull(consumer, 4)
    const dueMs = Date.now() + 7_000
    for (const delivery of deliveries) {
      const watchdog = { ...delivery.record, value: Buffer.from('watchdog'), dueMs }
      t.equal(await delivery.checkOut(watchdog), 'done')
    }
    const other = await second.consume(GROUP)
    await until(async () => (await other.progress()).filter(({ owner }) => owner === 'this').length === 2)
    await sleep(1_500)
    t.notOk(deliveries.some(({ lost }) => lost.aborted))
    const kept = (await consumer.progress()).find(({ owner }) => owner === 'this')?.partition
    const [running] = deliveries.filter(({ record }) => record.partition === kept)
    const ending = deliveries.filter((delivery) => delivery !== running)
    const childOf = ({ record: { key } }: Delivery) => record(`child of ${key}`)
    const children = ending.map((delivery) => {
      return delivery.complete({ journal: [endOf(delivery)], children: [childOf(delivery)] })
    })
    t.strictSame(await Promise.all(children), ['done', 'done', 'done'])

    const found: string[] = []
    const look = async (member: Consumer): Promise<void> => {
      while (Date.now() < dueMs + 1_000) {
        for (const delivery of await member.pull({ recordsMax: 1, bytesMax: 1e9, waitMs: 500 })) {
          const begun = await delivery.begin(delivery.record)
          if (begun === 'fresh') found.push(...textsOf([delivery]))
          // Of calls that were made here, what follows is left to whoever owns their partition now.
          const isKnown = begun instanceof Uint8Array
          const entry = begun === 'fresh' ? { journal: [endOf(delivery)] } : {}
          await delivery.complete(isKnown ? { again: true, children: [childOf(delivery)] } : entry)
        }
      }
    }
    await Promise.all([consumer, other].map(look))
    const expected = ending.map(({ record: { key } }) => `child of ${key}`)
    t.strictSame(found.sort(), expected.sort(), 'no watchdog comes while it runs, or after its end')
    await first.stop()
    t.ok(running?.lost.aborted)
    t.strictSame(textsOf(await pull(other, 1, 30_000)), ['watchdog'], 'but of the one that was given up')
    await second.stop()
  })

  t.test('a call that was checked out and is given up comes back once', async (t) => {
    const storage = storageFor(t)
    const stream = storage.open()
    await stream.start()
    await stream.append('calls', [ofOneKey('a')])
    const consumer = await stream.consume(GROUP)
    const [delivery] = (await pull(consumer, 1)) as [Delivery]
    const dueMs = Date.now() + 6_000
    t.equal(await delivery.checkOut({ ...delivery.record, dueMs }), 'done')
    t.equal(await delivery.complete({ timers: [{ ...delivery.record, dueMs: Date.now() }] }), 'done')
    const [back] = (await pull(consumer, 1)) as [Delivery]
    t.ok(Date.now() < dueMs, 'before its watchdog')
    t.equal(await back.complete({ journal: [endOf(back)] }), 'done')
    await stream.stop()
    t.ok(Date.now() < dueMs)

    const next = storage.open()
    await next.start()
    const left = await pull(await next.consume(GROUP), 1, dueMs + 1_500 - Date.now())
    t.strictSame(left, [], 'the next owner drops its watchdog')
    await next.stop()
  })

  t.test('two members tell of each other', async (t) => {
    const storage = storageFor(t)
    const streams = [storage.open(), storage.open()]
    await Promise.all(streams.map((stream) => stream.start()))
    const members = await Promise.all(
      streams.map((stream, index) => stream.consume(GROUP, { member: `member ${index}` })),
    )
    await until(async () => {
      const [one, other] = await Promise.all(members.map((member) => member.progress()))
      const owners = one?.map(({ owner, member }) => `${owner} ${member}`) ?? []
      return (
        owners.filter((owner) => owner === 'this member 0').length === 2 &&
        owners.filter((owner) => owner === 'other member 1').length === 2 &&
        other?.filter(({ owner }) => owner === 'this').length === 2
      )
    })
    t.pass('each owns half')
    await Promise.all(streams.map((stream) => stream.stop()))
  })

  t.test('what a member completes that was silent for too long is lost', async (t) => {
    const storage = storageFor(t)
    const [first, second] = [storage.open(), storage.open()]
    await Promise.all([first.start(), second.start()])
    await first.append('calls', [ofOneKey('a')])
    const [delivery] = (await pull(await first.consume(GROUP), 1)) as [Delivery]
    storage.cut(first)
    const [again] = (await pull(await second.consume(GROUP), 1)) as [Delivery]
    t.equal(await again.complete({ journal: [endOf(again)] }), 'done')
    const late = delivery.complete({ journal: [{ ...endOf(delivery), value: Buffer.from('late') }] })
    storage.mend(first)
    t.equal(await late, 'lost')
    t.ok(delivery.lost.aborted)
    const journal: string[] = []
    for await (const { records } of second.follow('journal', 'start', { untilEnd: true })) {
      journal.push(...records.map(({ value }) => Buffer.from(value).toString()))
    }
    t.strictSame(journal, ['ended'])
    await Promise.all([first.stop(), second.stop()])
  })
}

class MemoryCheckpoints implements CheckpointStore {
  readonly machines = false
  readonly #claims = new Map<string, Claim>()
  /** What is to be saved waits for it. */
  heldUp: Promise<void> | undefined
  isHeldUp = false

  async claim(key: string): Promise<Claim> {
    const { checkpoint, epoch } = this.#claims.get(key) ?? { checkpoint: NEW_CHECKPOINT, epoch: 0 }
    const claim = { checkpoint, epoch: epoch + 1 }
    this.#claims.set(key, claim)
    return claim
  }

  async save(key: string, epoch: number, checkpoint: Checkpoint): Promise<Saved> {
    this.isHeldUp = this.heldUp !== undefined
    await this.heldUp
    if (this.#claims.get(key)?.epoch !== epoch) return 'refused'
    this.#claims.set(key, { checkpoint, epoch })
    return 'saved'
  }

  async read(key: string): Promise<Checkpoint> {
    return this.#claims.get(key)?.checkpoint ?? NEW_CHECKPOINT
  }
}

interface Worker {
  readonly stream: Stream
  count(): number
  stop(): Promise<void>
}

/** Completes what it gets, a little later, and counts what ended by its turn. */
async function work(storage: KafkaStorage, ended: Map<string, number>): Promise<Worker> {
  const stream = storage.open()
  await stream.start()
  const consumer = await stream.consume(GROUP)
  let count = 0
  let isStopping = false
  const running = new Set<Promise<void>>()
  const call = async (delivery: Delivery): Promise<void> => {
    const begun = await delivery.begin(delivery.record)
    if (begun === 'fresh') await sleep(Math.random() * 30)
    const done = await delivery.complete(begun === 'fresh' ? { journal: [endOf(delivery)] } : {})
    if (begun !== 'fresh' || done !== 'done') return
    count += 1
    ended.set(delivery.record.key, (ended.get(delivery.record.key) ?? 0) + 1)
  }
  const pulling = (async () => {
    while (!isStopping) {
      for (const delivery of await consumer.pull({ recordsMax: 10, bytesMax: 1e9, waitMs: 100 })) {
        const one = call(delivery).finally(() => running.delete(one))
        running.add(one)
      }
    }
  })()
  const stop = async (): Promise<void> => {
    isStopping = true
    await pulling
    await Promise.all(running)
    await stream.stop()
  }
  return { stream, count: () => count, stop }
}

/** Records the end of a delivery as a member would that owned its partition before. */
async function writeLate(storage: KafkaStorage, { record }: Delivery, text: string): Promise<void> {
  const producer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  const { attempt = 1, generation = 1, key, offset, partition } = record
  const headers = { 'posthaste-turn': `${generation}.${attempt}`, [ABOUT]: `${offset} another` }
  await producer.send({ topic: `${storage.prefix}.journal`, messages: [{ key, value: text, partition, headers }] })
  await producer.disconnect()
}
