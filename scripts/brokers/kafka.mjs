// Apache Kafka, one node that is broker and controller. Nothing of its archive is needed: Maven Central has the jars.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess } from './broker-process.mjs'
import { cached, isCached } from './cache.mjs'
import { downloadKafka, KAFKA_VERSIONS } from './kafka-jars.mjs'
import { countBrokers } from './kafka-metadata.mjs'
import { freePorts } from './ports.mjs'
import { answers, majorVersion } from './tools.mjs'

const JAVA_MIN = 17
// The quick compiler and the plain collector: a test wants an early start and little of the machine.
const JAVA = 'java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.level=WARN'
const HEAP = '-Xms256m -Xmx512m'
const CLUSTER_ID = Buffer.from('posthaste-tests!').toString('base64url')

/** Returns what this machine lacks to run this version as a plain process, or undefined. */
export function lackingForKafka({ version } = {}) {
  const java = majorVersion('java', ['-version'], /version "(\d+)/)
  if (java === undefined || java < JAVA_MIN) return `Java ${JAVA_MIN} or later`
  return isCached(cacheName(version)) || answers('mvn', ['-version']) ? undefined : 'Maven'
}

/** Resolves once Kafka answers on 127.0.0.1. @throws Error when it cannot be downloaded or started. */
export async function startKafka({ version, directory, port, properties } = {}) {
  const name = cacheName(version)
  const jars = await cached(name, (place) => downloadKafka(exactVersion(version), place))
  const [freePort, controllerPort] = await freePorts(2)
  const ports = { client: port ?? freePort, controller: controllerPort }
  const broker = new BrokerProcess({
    name,
    directory,
    command: (place) => ['sh', '-c', script(jars, writeSettings(place, { ...settings(place, ports), ...properties }))],
    isReady: async () => (await countBrokers(ports.client)) > 0,
  })
  await broker.start()
  return Object.assign(broker, { port: ports.client, brokers: `127.0.0.1:${ports.client}` })
}

function exactVersion(version = '4') {
  return KAFKA_VERSIONS[version] ?? version
}

function cacheName(version) {
  return `kafka-${exactVersion(version)}`
}

// Kafka starts in a directory that was formatted. What was formatted before is kept.
function script(jars, file) {
  const java = `${JAVA} -cp '${jars}/*:${jars}'`
  const format = `${java} kafka.tools.StorageTool format --cluster-id ${CLUSTER_ID}`
  return `test -e data/meta.properties || ${format} --config ${file} && exec ${java} ${HEAP} kafka.Kafka ${file}`
}

function writeSettings(directory, values) {
  const file = 'server.properties'
  const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(join(directory, file), lines.join(''))
  return file
}

function settings(directory, { client, controller }) {
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${client},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${client}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(directory, 'data'),
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 2,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'log.cleaner.dedupe.buffer.size': 4 * 1024 * 1024, // of the heap; 128 MiB otherwise
    // Topics that a test has used go at once, not a minute later while another test measures the disk.
    'log.segment.delete.delay.ms': 500,
    'log.index.size.max.bytes': 1024 * 1024,
    // Groups form at once, and tests may choose short sessions.
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    // A broker that was killed comes back when its former session is over; 9 s otherwise.
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 200,
  }
}
