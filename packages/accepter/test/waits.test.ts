import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { FastifyReply } from 'fastify'
import t from 'tap'
import type { ViewDoor } from '../src/index.js'
import { Waits } from '../src/waits.js'

t.test('nothing is waited for once the client has gone, also if it went before', async (t) => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket = connect((server.address() as { port: number }).port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const [, raw] = (await once(server, 'request')) as [unknown, ServerResponse]
  socket.destroy()
  await once(raw, 'close')
  let waits = 0
  const view = {
    until: async () => {
      waits += 1
      return undefined
    },
  } as unknown as ViewDoor
  const reply = { raw, request: {} } as FastifyReply
  const waiting = new Waits(2)
  t.equal(await waiting.until(view, reply, () => undefined, 60_000), undefined)
  t.equal(waits, 0)
  t.equal(await waiting.until(view, reply, () => 'known', 60_000), 'known')
})
