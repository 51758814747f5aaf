// A broker for whoever needs one: the one that the environment names, or else a plain process of ours, or else Docker.

import { hasCompose, startService } from './compose.mjs'
import { lackingForKafka, startKafka } from './kafka.mjs'
import { lackingForNats, startNats } from './nats.mjs'

export const BROKERS = {
  kafka: {
    title: 'Kafka',
    variable: 'POSTHASTE_KAFKA_BROKERS',
    tools: 'Java 17 and Maven',
    lacking: lackingForKafka,
    start: startKafka,
    addressOf: (broker) => broker.brokers,
    compose: async () => startService('kafka', 9092),
  },
  nats: {
    title: 'NATS',
    variable: 'POSTHASTE_NATS_URL',
    tools: 'Go',
    lacking: lackingForNats,
    start: startNats,
    addressOf: (broker) => broker.url,
    compose: async () => {
      const { address, stop } = await startService('nats', 4222)
      return { address: `nats://${address}`, stop }
    },
  },
}

/** Resolves with the address of a broker and how to stop it. @throws Error with the reason and the remedy. */
export async function provideBroker(name, options = {}) {
  const { variable, lacking, start, addressOf, compose, tools } = BROKERS[name]
  const running = process.env[variable]
  if (running) return { address: running, stop: async () => {} }
  const missing = lacking(options)
  if (!missing) {
    const broker = await start(options)
    return { address: addressOf(broker), stop: () => broker.stop() }
  }
  if (hasCompose()) return compose()
  throw new Error(`${missing} is missing. Install ${tools}, start Docker, or set ${variable} to a running broker.`)
}
