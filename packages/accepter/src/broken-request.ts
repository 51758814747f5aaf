import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { LIMITS, PosthasteError } from '@posthaste/core'
import { problemOf } from './problem.js'

/** What is not HTTP at all. */
export function unreadable(): PosthasteError {
  return new PosthasteError('bad-request', 'The HTTP request cannot be read.')
}

/**
 * Answers what never reaches a route, because it is not HTTP or does not come to an end, and closes the connection. Returns
 * what it answered, if there was anybody to be told.
 */
export function answerBrokenRequest({ code }: NodeJS.ErrnoException, socket: Socket): PosthasteError | undefined {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return undefined
  }
  const error = (FAULTS[code ?? ''] ?? unreadable)()
  // Not left half open: who sends on and on would keep the connection.
  socket.end(answerOf(error), () => socket.destroy())
  return error
}

/** A head that has too much in it. */
export function headersTooLarge(): PosthasteError {
  const { requestHeadBytesMax, requestHeadersMax } = LIMITS
  const detail = `A request may have ${requestHeadersMax} headers, and with its first line ${requestHeadBytesMax} bytes of them.`
  return new PosthasteError('headers-too-large', detail)
}

/** By what Node says. */
const FAULTS: Readonly<Record<string, () => PosthasteError>> = {
  ERR_HTTP_REQUEST_TIMEOUT: () => new PosthasteError('request-timeout', 'The request did not come to its end in time.'),
  HPE_HEADER_OVERFLOW: headersTooLarge,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: () => new PosthasteError('too-large', 'Too much is said of the chunks of the body.'),
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
