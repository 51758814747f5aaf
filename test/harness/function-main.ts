import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

// A function: a process of its own, which answers with the body that it got. `/status/500` in its path says the status,
// `/wait/1000` how many milliseconds it takes. It prints where it is, and then every request, as a line of JSON each.
const server = createServer(async (request, response) => {
  const body = (await buffer(request)).toString()
  const { headers, method, url: path = '' } = request
  console.log(JSON.stringify({ method, path, headers, body }))
  const [, status = '200'] = /\/status\/(\d+)/.exec(path) ?? []
  const [, waitMs = '0'] = /\/wait\/(\d+)/.exec(path) ?? []
  await sleep(Number(waitMs))
  response.writeHead(Number(status), { 'content-type': headers['content-type'] ?? 'text/plain', 'x-from': 'function' })
  response.end(body)
})

server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }))
})
