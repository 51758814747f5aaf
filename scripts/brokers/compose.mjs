// Brokers of docker-compose.yml, for a machine that has Docker and cannot run them as plain processes.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../prepare.mjs'
import { answers } from './tools.mjs'

const file = join(root, 'docker-compose.yml')
const execute = promisify(execFile)

export function hasCompose() {
  return existsSync(file) && answers('docker', ['info']) && answers('docker', ['compose', 'version'])
}

/** Resolves with the `host:port` of a service once it is healthy. `stop` leaves it alone if it ran before. */
export async function startService(service, containerPort) {
  const ranBefore = (await compose(service, 'ps', '--status', 'running', '--services')).split('\n').includes(service)
  await compose(service, 'up', '--detach', '--wait', service)
  const address = (await compose(service, 'port', service, String(containerPort))).trim()
  return {
    address: address.replace(/^(0\.0\.0\.0|\[::\]):/, '127.0.0.1:'),
    stop: async () => void (ranBefore || (await compose(service, 'rm', '--stop', '--force', '--volumes', service))),
  }
}

async function compose(profile, ...args) {
  const { stdout } = await execute('docker', ['compose', '--file', file, '--profile', profile, ...args])
  return stdout
}
