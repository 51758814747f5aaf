import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { leaderOf, untilRebalance } from './harness/broker-questions.js'
import type { Fleet, Member } from './harness/fleet.js'
import { type Launcher, ownKafka, ownNats, startOwnNatsCluster } from './harness/own-brokers.js'
import { tryFault } from './harness/trial.js'

// What may happen to a broker, to the network and to listeners while 5,000 instructions are under way. Whatever it is,
// each comes to its one end.

const TEST_MS_MAX = 120_000
const REBALANCE_MS_MAX = 20_000
const JOINS = 10
const REBALANCES = 2

t.setTimeout(900_000)

for (const launcher of [ownNats, ownKafka]) {
  t.test(launcher.name, { timeout: 600_000, skip: missingFor(launcher) }, async (t) => {
    const { broker, install, proxy, takeOverMs, throughProxy } = await launcher.start(t)
    const test = { timeout: TEST_MS_MAX }

    await t.test('the broker is killed and comes back', test, (t) =>
      tryFault(t, install(), startTwo, async () => {
        await broker.kill()
        await sleep(1_000)
        await broker.restart()
      }),
    )

    await t.test('the broker is frozen for longer than a listener may be silent', test, (t) =>
      tryFault(t, install(), startTwo, async () => {
        broker.pause()
        await sleep(takeOverMs + 1_500)
        broker.resume()
      }),
    )

    await t.test('ten listeners join and leave in a row', test, (t) =>
      tryFault(t, install(), startTwo, async ({ fleet }) => {
        for (let joined = 1; joined <= JOINS; joined += 1) {
          await fleet.start([listener(joined + 2)])
          await fleet.remove(listener(joined), 'SIGTERM')
        }
      }),
    )

    const startOneBehindProxy = async (fleet: Fleet): Promise<void> => {
      await fleet.start(['accepter-1', 'listener-1'])
      await fleet.start(['listener-2'], throughProxy)
    }
    await t.test('the network between a listener and the broker is cut', test, (t) =>
      tryFault(t, install(), startOneBehindProxy, async () => {
        proxy.silence()
        await sleep(takeOverMs + 1_500)
        proxy.mend()
        await sleep(1_000)
        proxy.break()
        await sleep(1_000)
        proxy.mend()
      }),
    )
  })
}

t.test(
  'kafka: listeners are killed while partitions are shared out',
  { timeout: 240_000, skip: missingFor(ownKafka) },
  async (t) => {
    const { broker, install } = await ownKafka.start(t)
    const installation = install()
    await tryFault(t, installation, startTwo, async ({ fleet }) => {
      for (let round = 1; round <= REBALANCES; round += 1) {
        const rebalance = untilRebalance(`127.0.0.1:${broker.port}`, installation.prefix, REBALANCE_MS_MAX)
        const started = fleet.start([listener(round + 2)])
        await rebalance
        await fleet.remove(listener(round), 'SIGKILL')
        await started
      }
    })
  },
)

t.test(
  'nats: a cluster loses the leaders of its streams',
  { timeout: 180_000, skip: missingFor(ownNats) },
  async (t) => {
    const { install, servers, urls } = await startOwnNatsCluster(t)
    const installation = install()
    await tryFault(t, installation, startTwo, async () => {
      for (const log of ['calls', 'journal']) {
        const leader = await leaderOf(urls, `${installation.prefix}-${log}`)
        const server = servers.find(({ name }) => name === leader)
        if (!server) throw new Error(`No server is called ${leader}.`)
        await server.kill()
        await sleep(3_000)
        await server.restart()
      }
    })
  },
)

function startTwo(fleet: Fleet): Promise<void> {
  return fleet.start(['accepter-1', listener(1), listener(2)])
}

function listener(number: number): Member {
  return `listener-${number}`
}

function missingFor({ lacking, name }: Launcher): string | false {
  if (lacking === undefined) return false
  t.comment(`NOT TESTED: ${name} when it is killed. Missing: ${lacking}.`)
  return `missing: ${lacking}`
}
