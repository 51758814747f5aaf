import { createHmac } from 'node:crypto'
import type { Signature } from './signature.js'
import { bytesOf, checkTime, incomplete, isSame, sha256 } from './signed-request.js'

const SCHEME = 'ACS3-HMAC-SHA256'
/** What says what is to be done, but for what the SDK does not sign. */
const MUST_SIGN = /^(host|x-acs-.*|posthaste-.*)$/
const HASH_HEADER = 'x-acs-content-sha256'
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

/**
 * Alibaba's version 3, as the SDK of Function Compute 3 signs. `X-Fc-*` is not in it, but where the client adds that itself.
 * @see https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
 */
export const acsSignature: Signature = {
  scheme: SCHEME,
  headers: ['date', 'content-sha256', 'signature-nonce', 'security-token', 'version', 'action'].map(
    (name) => `x-acs-${name}`,
  ),
  read(request, nowMs) {
    const { fields } = request
    const keyId = fields.get('Credential') ?? ''
    const signature = fields.get('Signature') ?? ''
    if (keyId === '' || signature === '') throw incomplete('Authorization has no Credential, or no Signature.')
    const names = request.signedNames(MUST_SIGN)
    const time = request.header('x-acs-date') ?? ''
    checkTime(TIME.test(time) ? Date.parse(time) : Number.NaN, nowMs)
    const paths = [request.path, request.pathAtDoor].map((path) =>
      path.replaceAll('+', '%20').replaceAll('*', '%2A').replaceAll('%7E', '~'),
    )
    const isBy = (secret: string, body: Buffer): boolean => {
      const hash = sha256(body)
      if (request.header(HASH_HEADER) !== hash) return false
      return paths.some((path) => {
        const signed = `${SCHEME}\n${sha256(request.canonical(path, names, hash))}`
        return isSame(signature, createHmac('sha256', secret).update(bytesOf(signed)).digest('hex'))
      })
    }
    return { keyId, isBy }
  },
}
