import t from 'tap'
import { untilRebalance } from './harness/broker-questions.js'
import { FAULT_MS_MAX, listener, startTwo, tryCommonFaults } from './harness/faults.js'
import { missingFor, ownKafka } from './harness/own-brokers.js'
import { tryFault } from './harness/trial.js'

// What may happen to Kafka, to the network and to listeners while 5,000 instructions are under way. Whatever it is, each
// comes to its one end.

const REBALANCE_MS_MAX = 20_000
const REBALANCES = 2

t.setTimeout(580_000)

t.test('one broker', { timeout: 570_000, skip: missingFor(t, ownKafka) }, async (t) => {
  const own = await ownKafka.start(t)
  await tryCommonFaults(t, own)

  await t.test('listeners are killed while partitions are shared out', { timeout: FAULT_MS_MAX }, async (t) => {
    const installation = own.install()
    await tryFault(t, installation, startTwo, async ({ fleet }) => {
      for (let round = 1; round <= REBALANCES; round += 1) {
        const rebalance = untilRebalance(`127.0.0.1:${own.broker.port}`, installation.prefix, REBALANCE_MS_MAX)
        const started = fleet.start([listener(round + 2)])
        await rebalance
        await fleet.remove(listener(round), 'SIGKILL')
        await started
      }
    })
  })
})
