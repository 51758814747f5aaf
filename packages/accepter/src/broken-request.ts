import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { PosthasteError } from '@posthaste/core'
import { problemOf } from './problem.js'

/** What is not HTTP at all. */
export function unreadable(): PosthasteError {
  return new PosthasteError('bad-request', 'The HTTP request cannot be read.')
}

/** Answers what never reaches a route, because it is not HTTP or does not come to an end, and closes the connection. */
export function answerBrokenRequest({ code }: NodeJS.ErrnoException, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  // Not left half open: who sends on and on would keep the connection.
  socket.end(answerOf(code === 'ERR_HTTP_REQUEST_TIMEOUT' ? late() : unreadable()), () => socket.destroy())
}

function late(): PosthasteError {
  return new PosthasteError('request-timeout', 'The request did not come to its end in time.')
}

function answerOf(error: PosthasteError): string {
  const problem = problemOf(error)
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
