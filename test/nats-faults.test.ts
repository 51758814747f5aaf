import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { leaderOf, untilWhole } from './harness/broker-questions.js'
import { FAULT_MS_MAX, startTwo, tryCommonFaults } from './harness/faults.js'
import { missingFor, ownNats, startOwnNatsCluster } from './harness/own-brokers.js'
import { tryFault } from './harness/trial.js'

// What may happen to NATS, to the network and to listeners while 5,000 instructions are under way. Whatever it is, each
// comes to its one end.

const skip = missingFor(t, ownNats)

t.setTimeout(580_000)

t.test('one server', { timeout: 480_000, skip }, async (t) => tryCommonFaults(t, await ownNats.start(t)))

t.test('a cluster loses the leaders of its streams', { timeout: FAULT_MS_MAX, skip }, async (t) => {
  const { install, servers, urls } = await startOwnNatsCluster(t)
  const installation = install()
  await tryFault(t, installation, startTwo, async () => {
    const streams = ['calls', 'journal'].map((log) => `${installation.prefix}-${log}`)
    for (const stream of streams) {
      const leader = await leaderOf(urls, stream)
      const server = servers.find(({ name }) => name === leader)
      if (!server) throw new Error(`No server is called ${leader}.`)
      await server.kill()
      await sleep(3_000)
      await server.restart()
      // It answers before it has what it missed, and until then the others cannot spare one more.
      await Promise.all(streams.map((one) => untilWhole(urls, one)))
    }
  })
})
