import type { Test } from 'tap'
import type { BrokerProcess, NatsCluster } from '../../scripts/brokers.mjs'
import { type BrokerInstallation, onKafka, onNats } from './broker-installation.js'
import type { Settings } from './posthaste-process.js'
import { TcpProxy } from './tcp-proxy.js'

// Brokers of a test's own, which it may kill, freeze and cut off. Compiled tests are a directory deeper than their
// sources, so the launcher is imported by its URL.

const scripts = new URL('../../../scripts/', import.meta.url)
const launcher = (await import(new URL('brokers.mjs', scripts).href)) as typeof import('../../scripts/brokers.mjs')
const { freePorts } = (await import(new URL('brokers/ports.mjs', scripts).href)) as {
  freePorts(count: number): Promise<number[]>
}

/** What fails is noticed sooner than the defaults of brokers allow. */
const TAKE_OVER_MS = 4_000

export type { BrokerProcess } from '../../scripts/brokers.mjs'

/** A broker, and a second way to it that can be cut. */
export interface OwnBroker {
  readonly broker: BrokerProcess
  readonly proxy: TcpProxy
  readonly takeOverMs: number
  install(): BrokerInstallation
  /** For a process that reaches the broker by the second way. */
  readonly throughProxy: Settings
}

export interface Launcher {
  readonly name: 'nats' | 'kafka'
  /** What is missing here to start one, in words. */
  readonly lacking: string | undefined
  /** It stops when the test is over. */
  start(t: Test): Promise<OwnBroker>
}

export const ownNats: Launcher = {
  name: 'nats',
  lacking: launcher.lackingForNats(),
  async start(t) {
    const broker = await launcher.startNats()
    t.teardown(() => broker.stop())
    const proxy = await startProxy(t, broker.port)
    return {
      broker,
      proxy,
      takeOverMs: TAKE_OVER_MS,
      install: () => onNats(broker.url, { takeOverMs: TAKE_OVER_MS }),
      throughProxy: { natsUrl: `nats://127.0.0.1:${proxy.port}` },
    }
  },
}

/** Kafka tells its clients where to go on: those that come through the proxy are told to do so again. */
export const ownKafka: Launcher = {
  name: 'kafka',
  lacking: launcher.lackingForKafka(),
  async start(t) {
    const [port, controllerPort, proxiedPort] = (await freePorts(3)) as [number, number, number]
    const proxy = await startProxy(t, proxiedPort)
    const controller = `127.0.0.1:${controllerPort}`
    const properties = {
      'controller.quorum.voters': `1@${controller}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxiedPort},CONTROLLER://${controller}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxy.port}`,
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT',
    }
    const broker = await launcher.startKafka({ port, properties })
    t.teardown(() => broker.stop())
    return {
      broker,
      proxy,
      takeOverMs: TAKE_OVER_MS,
      install: () => onKafka(broker.brokers, { takeOverMs: TAKE_OVER_MS }),
      throughProxy: { kafkaBrokers: `127.0.0.1:${proxy.port}` },
    }
  },
}

export async function startOwnNatsCluster(t: Test): Promise<NatsCluster & { install(): BrokerInstallation }> {
  const cluster = await launcher.startNatsCluster(3)
  t.teardown(() => cluster.stop())
  const options = { takeOverMs: TAKE_OVER_MS, replicas: 3 }
  return { ...cluster, install: () => onNats(cluster.urls.join(','), options) }
}

async function startProxy(t: Test, toPort: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(toPort)
  t.teardown(() => proxy.stop())
  return proxy
}
