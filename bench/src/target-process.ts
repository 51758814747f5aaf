// The target, in a process of its own: answers 200 after a time, and tells when what came had been sent.

import { createServer, type Socket } from 'node:net'
import { MessageReader } from './http-message.js'
import { machineUs, readMarks } from './marked-body.js'
import { spreadOf } from './spread.js'
import type { TargetOrder, TargetReport } from './target.js'

const ANSWER = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: keep-alive\r\nContent-Length: 11\r\n\r\n{"ok":true}',
)

let delayMs = 0
let seen = new Set<number>()
let latencies: number[] = []
let firstUs = 0
let lastUs = 0
let repeats = 0
let connections = 0
let connectionsMost = 0

const serve = (socket: Socket): void => {
  connections += 1
  connectionsMost = Math.max(connectionsMost, connections)
  const reader = new MessageReader(({ buffer, bodyAt }) => {
    note(readMarks(buffer, bodyAt))
    if (delayMs === 0) socket.write(ANSWER)
    else setTimeout(() => socket.write(ANSWER), delayMs)
  })
  socket.on('data', (chunk) => reader.add(chunk))
  socket.on('close', () => {
    connections -= 1
  })
  socket.on('error', () => socket.destroy())
}

function note({ sequence, sentUs }: { sequence: number; sentUs: number }): void {
  lastUs = machineUs()
  if (seen.size === 0) firstUs = lastUs
  if (seen.has(sequence)) repeats += 1
  seen.add(sequence)
  latencies.push((lastUs - sentUs) / 1_000)
}

function report(): TargetReport {
  return {
    distinct: seen.size,
    repeats,
    firstUs,
    lastUs,
    connections,
    connectionsMost,
    latencyMs: spreadOf(Float64Array.from(latencies)),
  }
}

process.on('message', (order: TargetOrder) => {
  if (order.kind === 'count') process.send?.(seen.size)
  if (order.kind === 'report') process.send?.(report())
  if (order.kind !== 'reset') return
  delayMs = order.delayMs
  seen = new Set()
  latencies = []
  repeats = 0
  connectionsMost = connections
  process.send?.('reset')
})
process.on('disconnect', () => process.exit())

const ports = Number(process.argv[2])
const servers = Array.from({ length: ports }, () =>
  createServer({ noDelay: true }, serve).listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }),
)
await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
process.send?.(servers.map((server) => (server.address() as { port: number }).port))
