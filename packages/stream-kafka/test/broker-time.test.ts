import { measureClockSkew } from '@posthaste/stream'
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { brokerTime } from '../src/broker-time.js'
import { storageFor, until, works } from './kafka-calls.js'
import { brokers, noBroker, withAdmin } from './kafka-harness.js'

// The broker for tests runs on this machine: its clock is ours.

t.test('a clock that was set off is found to be off', { skip: noBroker }, async (t) => {
  const storage = storageFor(t)
  const stream = storage.open()
  await stream.start()
  t.teardown(() => stream.stop())
  const producer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  t.teardown(() => producer.disconnect())
  for (const offMs of [2_000, 0, -2_000]) {
    const clock = { now: () => Date.now() + offMs }
    const skew = await measureClockSkew(clock, () => brokerTime(producer, `${storage.prefix}.clock`))
    t.ok(Math.abs(skew.aheadMs - offMs) <= skew.uncertaintyMs, `${offMs}: ${JSON.stringify(skew)}`)
  }
  const skew = await stream.clockSkew()
  t.ok(Math.abs(skew.aheadMs) <= skew.uncertaintyMs, JSON.stringify(skew))
})

t.test('a topic of clocks that does not tell the time is refused, and noticed later', { skip: noBroker }, async (t) => {
  const storage = storageFor(t)
  const topic = `${storage.prefix}.clock`
  const setType = (value: string): Promise<unknown> =>
    withAdmin((admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: 2, name: topic, configEntries: [{ name: 'message.timestamp.type', value }] }],
      }),
    )
  await withAdmin((admin) => admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }))
  const stream = storage.open()
  await t.rejects(stream.start(), { code: 'stream-unfit', message: /CreateTime and must have LogAppendTime/ })
  await setType('LogAppendTime')
  t.teardown(() => stream.stop())
  // A setting is acknowledged before the broker goes by it.
  await until(() => works(stream.start()))
  await until(() => works(stream.clockSkew()))
  await setType('CreateTime')
  const askOn = async (): Promise<void> => {
    for (;;) await stream.clockSkew()
  }
  await t.rejects(askOn(), { code: 'stream-unfit', message: topic })
})
