import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Test } from 'tap'

const LISTEN = `
  const server = require('node:net').createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => process.stdout.write(String(server.address().port)))
`

/** A place that answers no attempt to connect: a process that is frozen, with a queue of connections that is full. */
export async function startBlackHole(t: Test): Promise<string> {
  const child = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => void child.kill('SIGKILL'))
  const port = Number(String((await once(child.stdout, 'data'))[0]))
  child.kill('SIGSTOP')
  for (let connected = true; connected; ) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => void socket.destroy())
    const waited = new Promise<boolean>((resolve) => setTimeout(resolve, 100, false))
    connected = await Promise.race([once(socket, 'connect').then(() => true), waited])
  }
  return `http://127.0.0.1:${port}/`
}
