import type { IncomingMessage } from 'node:http'
import { type Readable, Transform } from 'node:stream'
import { PosthasteError } from '@posthaste/core'
import { tooLarge } from '../bodies.js'

/**
 * The body of a request for who passes it on as it comes, or nothing if it has none. Who destroys it wants no more of it:
 * the request stays, and can be answered. It breaks where the request does, and when it has more than so many bytes.
 *
 * @throws PosthasteError `too-large` if the request says that it is
 */
export function bodyOnItsWay(request: IncomingMessage, bytesMax = Number.POSITIVE_INFINITY): Readable | null {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
  if (Number(length) > bytesMax) throw tooLarge(bytesMax)
  if (encoding === undefined && Number(length) === 0) return null
  let bytes = 0
  const passage = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length
      if (bytes > bytesMax) done(tooLarge(bytesMax))
      else done(null, chunk)
    },
  })
  // It may break when nobody reads of it any more.
  passage.on('error', () => {})
  request.once('error', (cause) => passage.destroy(brokenOff(cause)))
  // What follows on the connection comes after the rest.
  passage.once('close', () => request.unpipe(passage).resume())
  return request.pipe(passage)
}

function brokenOff(cause: Error): PosthasteError {
  return new PosthasteError('bad-request', 'The body broke off.', { cause })
}
