// nats-server with JetStream, built from its Go module: one server, or a cluster that replicates.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess } from './broker-process.mjs'
import { cached, isCached, runDownload } from './cache.mjs'
import { freePorts } from './ports.mjs'
import { answers } from './tools.mjs'

const VERSION = '2.15.2' // message schedules need 2.12.12 or 2.14.3
const NAME = `nats-server-${VERSION}`
const HEALTH_MS_MAX = 1000

/** Returns what this machine lacks to run nats-server as a plain process, or undefined. */
export function lackingForNats() {
  return isCached(NAME) || answers('go', ['version']) ? undefined : 'Go'
}

/** Resolves once JetStream is ready on 127.0.0.1. @throws Error when it cannot be downloaded or started. */
export async function startNats({ directory, port, config } = {}) {
  const [client, monitor] = await freePorts(2)
  const server = await newServer({ name: 'n1', directory, client: port ?? client, monitor, config })
  await server.start()
  return server
}

/** Resolves once JetStream is ready on all servers. A stream can have as many replicas. @throws Error as `startNats`. */
export async function startNatsCluster(size = 3, { config } = {}) {
  const ports = await freePorts(3 * size)
  const routes = ports.slice(0, size).map((port) => `nats://127.0.0.1:${port}`)
  const places = routes.map((listen, i) => ({ listen, client: ports[size + i], monitor: ports[2 * size + i] }))
  const servers = await Promise.all(
    places.map(({ listen, ...place }, i) => {
      const cluster = { name: 'posthaste', listen: listen.replace('nats://', ''), routes }
      return newServer({ ...place, name: `n${i + 1}`, config: { cluster, ...config } })
    }),
  )
  const stop = async () => void (await Promise.all(servers.map((server) => server.stop())))
  try {
    await Promise.all(servers.map((server) => server.start()))
  } catch (error) {
    await stop()
    throw error
  }
  return { servers, urls: servers.map(({ url }) => url), stop }
}

async function newServer({ name, directory, client, monitor, config }) {
  const binary = join(await cached(NAME, download), 'nats-server')
  const server = new BrokerProcess({
    name: NAME,
    directory,
    command: (place) => [
      binary,
      '--config',
      writeConfig(place, { ...settings(name, place, client, monitor), ...config }),
    ],
    isReady: () => isHealthy(monitor),
  })
  return Object.assign(server, { name, port: client, url: `nats://127.0.0.1:${client}` })
}

async function download(directory) {
  const module = `github.com/nats-io/nats-server/v2@v${VERSION}`
  await runDownload('go', ['install', '-trimpath', module], { GOBIN: directory, CGO_ENABLED: '0' })
}

// A configuration of nats-server may be JSON.
function writeConfig(directory, values) {
  const file = join(directory, 'nats.json')
  writeFileSync(file, JSON.stringify(values, undefined, 2))
  return file
}

function settings(name, directory, client, monitor) {
  return {
    server_name: name,
    host: '127.0.0.1',
    port: client,
    http: `127.0.0.1:${monitor}`,
    // Each installation reserves room for its journal, used or not: a bench or a test makes many.
    jetstream: { store_dir: directory, sync_interval: 'always', max_file_store: 2 ** 40 },
  }
}

// In a cluster a server is healthy once it knows the leader.
async function isHealthy(monitor) {
  try {
    return (await fetch(`http://127.0.0.1:${monitor}/healthz`, { signal: AbortSignal.timeout(HEALTH_MS_MAX) })).ok
  } catch {
    return false
  }
}
