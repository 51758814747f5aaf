// Ports of 127.0.0.1 for brokers that are killed and started again in the same place.

import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the ports that systems give to outgoing connections. From those, a client that tries a killed broker's port
// again and again might get that very port as its own, and the broker could not come back.
const LOWEST = 20_000
const HIGHEST = 31_999

/** Ports that nobody listens on now, all different. */
export async function freePorts(count) {
  const ports = new Set()
  while (ports.size < count) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1))
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

async function isFree(port) {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
    return true
  } catch {
    return false
  }
}
