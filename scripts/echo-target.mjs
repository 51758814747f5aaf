// A target to call while trying Posthaste: prints each request in one line.
//   /              200, with the body that came         /status/503     that status; ?retry-after=60 adds a header
//   /slow?ms=2000  200, later                           /flaky?fail=2   503 for the first attempts, then 200
//   /done          200, for what is forwarded

import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** Listens on `port`, or on a free one if that is taken, and returns the server's URL. */
export async function startEchoTarget(port = 8081) {
  const server = createServer((request, response) => void answer(request, response))
  const listen = (p) => once(server.listen(p, '127.0.0.1'), 'listening')
  await listen(port).catch((error) => {
    if (error.code !== 'EADDRINUSE') throw error
    return listen(0)
  })
  return `http://127.0.0.1:${server.address().port}`
}

async function answer(request, response) {
  try {
    const body = Buffer.concat(await request.toArray())
    const url = new URL(request.url, 'http://echo')
    const status = statusFor(url, Number(request.headers['posthaste-attempt'] ?? 1))
    console.log(describe(request, status, body))
    if (url.pathname === '/slow') await sleep(Number(url.searchParams.get('ms') ?? 2000))
    const type = { 'content-type': request.headers['content-type'] ?? 'application/octet-stream' }
    const more = url.pathname.startsWith('/status/') ? Object.fromEntries(url.searchParams) : {}
    response.writeHead(status, { ...type, ...more })
    response.end(body)
  } catch (error) {
    console.log(`echo  ${request.method} ${request.url} ended early: ${error.message}`)
    response.destroy()
  }
}

function statusFor(url, attempt) {
  const fixed = Number(/^\/status\/([2-5]\d\d)$/.exec(url.pathname)?.[1])
  if (fixed) return fixed
  if (url.pathname === '/flaky') return attempt <= Number(url.searchParams.get('fail') ?? 2) ? 503 : 200
  return ['/', '/slow', '/done'].includes(url.pathname) ? 200 : 404
}

function describe(request, status, body) {
  const names = Object.keys(request.headers).filter((name) => name.startsWith('posthaste-'))
  const headers = names.map((name) => `${name}=${request.headers[name]}`)
  const text = body.toString('utf8').slice(0, 200).replace(/\s+/g, ' ')
  return ['echo ', request.method, request.url, status, ...headers, text].join(' ')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`echo target: ${await startEchoTarget(Number(process.argv[2] ?? 8081))}`)
}
