// The client, in a process of its own: sends instructions as fast as so many connections allow, or at a rate.

import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { MessageReader } from './http-message.js'
import type { Load, LoadResult } from './load.js'
import { machineUs, markBody, unmarkedBody } from './marked-body.js'
import { spreadOf } from './spread.js'

process.on('message', (load: Load) => {
  void run(load).then((result) => process.send?.(result))
})
process.on('disconnect', () => process.exit())

async function run(load: Load): Promise<LoadResult> {
  const { connections, count, url, firstSequence } = load
  const requests = load.targets.map((target) => requestTo(url, target, load))
  const latencies = new Float64Array(count)
  const refused: Record<string, number> = {}
  let accepted = 0
  let sent = 0
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(url)))
  const startedUs = machineUs()

  const work = sockets.map((socket) => {
    const buffers = requests.map(({ bytes }) => Buffer.from(bytes))
    let sentUs = 0
    let answered: () => void = () => undefined
    const reader = new MessageReader(({ head }) => {
      const status = head.slice(9, 12)
      if (status === '202') latencies[accepted++] = (machineUs() - sentUs) / 1_000
      else refused[status] = (refused[status] ?? 0) + 1
      answered()
    })
    socket.on('data', (chunk) => reader.add(chunk))
    return {
      /** `dueUs`: when it should have been sent. What keeps it waiting here counts too. */
      send(dueUs = machineUs()): Promise<void> {
        const which = sent % requests.length
        const buffer = buffers[which] as Buffer
        sentUs = dueUs
        markBody(buffer, requests[which]?.bodyAt as number, firstSequence + sent, sentUs)
        sent += 1
        socket.write(buffer)
        return new Promise((resolve) => {
          answered = resolve
        })
      },
    }
  })

  if (load.perSecond === undefined) {
    await Promise.all(
      work.map(async (one) => {
        while (sent < count) await one.send()
      }),
    )
  } else {
    const idle = [...work]
    const running: Promise<unknown>[] = []
    for (let index = 0; index < count; index += 1) {
      const dueUs = startedUs + (index * 1e6) / load.perSecond
      const waitMs = (dueUs - machineUs()) / 1_000
      if (waitMs > 0) await sleep(waitMs)
      // With every connection waiting for its answer the rate cannot be held: better late than not measured.
      while (idle.length === 0) await sleep(1)
      const one = idle.pop() as (typeof work)[number]
      running.push(one.send(dueUs).then(() => idle.push(one)))
    }
    await Promise.all(running)
  }
  const endedUs = machineUs()
  for (const socket of sockets) socket.destroy()
  return { accepted, refused, startedUs, endedUs, latencyMs: spreadOf(latencies.subarray(0, accepted)) }
}

/** The request as it goes over the wire, and where in it the body to mark begins. */
function requestTo(url: string, target: string, { bodyBytes, fields, token }: Load): { bytes: Buffer; bodyAt: number } {
  const body = unmarkedBody(bodyBytes)
  const rest = JSON.stringify({ target, ...fields })
  const json = `{"body":${body},${rest.slice(1)}`
  const head = [
    'POST /invocations HTTP/1.1',
    `Host: ${new URL(url).host}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(json)}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
  ].join('\r\n')
  const bytes = Buffer.from(`${head}\r\n\r\n${json}`)
  return { bytes, bodyAt: bytes.indexOf(body) }
}

function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => resolve(socket))
    socket.on('error', reject)
  })
}
