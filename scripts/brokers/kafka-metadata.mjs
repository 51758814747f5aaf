// The one question that says whether Kafka is up: which brokers does it know? It answers with none until its broker has
// registered with its controller and taken up its logs.

import { connect } from 'node:net'

const ANSWER_MS_MAX = 1000
const METADATA = 3
const VERSION = 5 // served by 3.9 and 4.x

/** Resolves with the number of brokers that the one on this port knows, 0 when it does not answer. */
export function countBrokers(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    let answer = Buffer.alloc(0)
    socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy())
    socket.on('connect', () => socket.write(question()))
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => resolve(0))
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      if (answer.length < 16) return
      resolve(answer.readInt32BE(12)) // after the size, the correlation id and the throttle time
      socket.destroy()
    })
  })
}

function question() {
  const body = Buffer.alloc(15)
  body.writeInt16BE(METADATA, 0)
  body.writeInt16BE(VERSION, 2)
  body.writeInt16BE(-1, 8) // no client id
  const size = Buffer.alloc(4) // what follows the client id says: no topics, and create none
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}
