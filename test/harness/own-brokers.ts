import type { Test } from 'tap'
import type { BrokerProcess, NatsCluster } from '../../scripts/brokers.mjs'
import { type BrokerInstallation, onKafka, onNats } from './broker-installation.js'
import type { Settings } from './posthaste-process.js'
import { TcpProxy } from './tcp-proxy.js'

// Brokers of a test's own, which it may kill, freeze and cut off. Compiled tests are a directory deeper than their
// sources, so the launcher is imported by its URL.

const url = new URL('../../../scripts/brokers.mjs', import.meta.url)
const launcher = (await import(url.href)) as typeof import('../../scripts/brokers.mjs')

/** What fails is noticed sooner than the defaults of brokers allow. */
const TAKE_OVER_MS = 4_000
const PASSWORD = 'open-sesame'
const WRONG_PASSWORD = 'not-the-password'
const USERS = [
  { user: 'anybody', password: '' },
  { user: 'somebody', password: PASSWORD },
]

export type { BrokerProcess } from '../../scripts/brokers.mjs'

/** A broker, and a second way to it that can be cut. */
export interface OwnBroker {
  readonly broker: BrokerProcess
  readonly proxy: TcpProxy
  readonly takeOverMs: number
  install(): BrokerInstallation
  /** For a process that reaches the broker by the second way. */
  readonly throughProxy: Settings
  /** For a process that has to log in. */
  readonly locked: { readonly right: Settings; readonly wrong: Settings }
}

export interface Launcher {
  readonly name: 'nats' | 'kafka'
  /** What is missing here to start one, in words. */
  readonly lacking: string | undefined
  /** It stops when the test is over. */
  start(t: Test): Promise<OwnBroker>
}

/** What is missing to start a broker, said loudly, or false: tap's `skip`. */
export function missingFor(t: Pick<Test, 'comment'>, { lacking, name }: Launcher): string | false {
  if (lacking === undefined) return false
  t.comment(`NOT TESTED: ${name} when it is killed, frozen or away. Missing: ${lacking}.`)
  return `missing: ${lacking}`
}

export const ownNats: Launcher = {
  name: 'nats',
  lacking: launcher.lackingForNats(),
  async start(t) {
    const broker = await launcher.startNats({ config: { authorization: { users: USERS }, no_auth_user: 'anybody' } })
    t.teardown(() => broker.stop())
    const proxy = await startProxy(t, broker.port)
    return {
      broker,
      proxy,
      takeOverMs: TAKE_OVER_MS,
      install: () => onNats(broker.url, { takeOverMs: TAKE_OVER_MS }),
      throughProxy: { natsUrl: `nats://127.0.0.1:${proxy.port}` },
      locked: {
        right: { natsUrl: broker.url.replace('//', `//somebody:${PASSWORD}@`) },
        wrong: { natsUrl: broker.url.replace('//', `//somebody:${WRONG_PASSWORD}@`) },
      },
    }
  },
}

/** Kafka tells its clients where to go on: those that come through the proxy are told to do so again. */
export const ownKafka: Launcher = {
  name: 'kafka',
  lacking: launcher.lackingForKafka(),
  async start(t) {
    const ports = (await launcher.freePorts(4)) as [number, number, number, number]
    const [port, controllerPort, proxiedPort, lockedPort] = ports
    const proxy = await startProxy(t, proxiedPort)
    const controller = `127.0.0.1:${controllerPort}`
    const properties = {
      'controller.quorum.voters': `1@${controller}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxiedPort},LOCKED://127.0.0.1:${lockedPort},CONTROLLER://${controller}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxy.port},LOCKED://127.0.0.1:${lockedPort}`,
      'listener.security.protocol.map':
        'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,LOCKED:SASL_PLAINTEXT',
      'listener.name.locked.sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.locked.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_somebody="${PASSWORD}";`,
    }
    const broker = await launcher.startKafka({ port, properties })
    t.teardown(() => broker.stop())
    return {
      broker,
      proxy,
      takeOverMs: TAKE_OVER_MS,
      install: () => onKafka(broker.brokers, { takeOverMs: TAKE_OVER_MS }),
      throughProxy: { kafkaBrokers: `127.0.0.1:${proxy.port}` },
      locked: { right: login(lockedPort, PASSWORD), wrong: login(lockedPort, WRONG_PASSWORD) },
    }
  },
}

export async function startOwnNatsCluster(t: Test): Promise<NatsCluster & { install(): BrokerInstallation }> {
  const cluster = await launcher.startNatsCluster(3)
  t.teardown(() => cluster.stop())
  const options = { takeOverMs: TAKE_OVER_MS, replicas: 3 }
  return { ...cluster, install: () => onNats(cluster.urls.join(','), options) }
}

function login(port: number, password: string): Settings {
  const brokers = `127.0.0.1:${port}`
  return { kafkaBrokers: brokers, kafkaSasl: 'plain', kafkaUsername: 'somebody', kafkaPassword: password }
}

async function startProxy(t: Test, toPort: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(toPort)
  t.teardown(() => proxy.stop())
  return proxy
}
