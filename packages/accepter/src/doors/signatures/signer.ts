import type { FastifyRequest } from 'fastify'
import type { Bodies } from '../../bodies.js'
import type { Caller, Credentials } from '../../caller.js'
import { Unauthenticated } from '../../unauthenticated.js'
import type { Mark } from '../door.js'
import type { Signature, Signed } from './signature.js'
import { invalid } from './signed-request.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The whole body, where it had to be read to know who asks. */
    bodyRead?: Buffer
  }
}

/** As much as Lambda takes. It must all be there before anything is done, also where it would only pass through. */
const BYTES_MAX = 6 * 1024 * 1024
/** It may be another who says that he has a key: what he sends takes no room from who has it. No tenant has such a name. */
const unproven = (tenant: string): string => `?${tenant}`

/** The signature, of some that are taken, that a request says it has; undefined if it has none of them. */
export function signatureOf({ authorization }: Mark['headers'], taken: readonly Signature[]): Signature | undefined {
  const [scheme] = String(authorization).split(' ', 1)
  return taken.find((one) => one.scheme === scheme)
}

/** Who signed a request. Reads its body, if the key is known. @throws Unauthenticated, or a PosthasteError of the body */
export async function signerOf(
  request: FastifyRequest,
  signed: Signed,
  credentials: Credentials,
  bodies: Bodies,
): Promise<Caller> {
  const key = credentials.keyOf?.(signed.keyId)
  if (!key) throw new Unauthenticated('unknown-key', 'The access key of this signature is not known here.')
  const body = await bodies.whole(request.raw, { tenant: unproven(key.caller.tenant), bytesMax: BYTES_MAX })
  if (!signed.isBy(key.secret, body)) throw invalid()
  request.bodyRead = body
  return key.caller
}
