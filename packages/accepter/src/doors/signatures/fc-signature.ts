import { createHash, createHmac } from 'node:crypto'
import type { Signature } from './signature.js'
import { bytesOf, checkTime, incomplete, invalid, isSame, parametersOf, type SignedRequest } from './signed-request.js'

/** Of what is under these the query is not signed. */
const API = /^\/20(?:16-08-15|21-04-06)\/services\//
/** What says what is to be done by our own ways. */
const OWN = /^posthaste-/

/**
 * `FC ID:SIGNATURE`, as the SDK of Function Compute 2 signs. The host is not in it, nor the query of what is no HTTP trigger,
 * and the body only by its MD5: that is how it is there.
 * @see https://www.alibabacloud.com/help/en/functioncompute/fc-2-0/developer-reference/api-fc-open-2021-04-06-overview
 */
export const fcSignature: Signature = {
  scheme: 'FC',
  headers: ['x-fc-security-token'],
  read(request, nowMs) {
    const [, keyId = '', signature = ''] = /^([^:]+):(\S+)$/.exec(request.authorization) ?? []
    if (signature === '') throw incomplete('Authorization is not such as FC ID:SIGNATURE.')
    checkTime(Date.parse(request.header('date') ?? ''), nowMs)
    // Neither these nor those of other systems can be signed.
    const unsigned = request.headerNames.find((name) => OWN.test(name) || request.mustSign.includes(name))
    if (unsigned !== undefined) throw incomplete(`The header ${unsigned} is not signed.`)
    const texts = textsOf(request)
    const isBy = (secret: string, body: Buffer): boolean =>
      isHashOf(request.header('content-md5') ?? '', body) &&
      texts.some((text) => isSame(signature, createHmac('sha256', secret).update(bytesOf(text)).digest('base64')))
    return { keyId, isBy }
  },
}

/** What may have been signed: a path as it came, or as it was before it was encoded. @throws Unauthenticated */
function textsOf(request: SignedRequest): string[] {
  const { headerNames, method, path, pathAtDoor, query } = request
  const own = headerNames.filter((name) => name.startsWith('x-fc-')).sort()
  const parameters = parametersOf(query).map((pair) => latin1Of(pair.join('=')))
  const paths = [path, pathAtDoor].flatMap((one) => [one, latin1Of(decodeURIComponent(one))])
  // One with a line break would look like two.
  if ([...paths, ...parameters].some((one) => one.includes('\n'))) throw invalid()
  const head = [
    ...[method, ...['content-md5', 'content-type', 'date'].map((name) => request.header(name) ?? '')],
    ...own.map((name) => `${name}:${request.header(name)}`),
  ]
  const end = API.test(pathAtDoor) ? [] : [parameters.sort().join('\n')]
  return paths.map((one) => [...head, one, ...end].join('\n'))
}

/** As bytes, as all else came. */
function latin1Of(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** SDKs write it in three ways, and need not where there is nothing. */
function isHashOf(shown: string, body: Buffer): boolean {
  if (body.length === 0 && shown === '') return true
  const hash = createHash('md5').update(body).digest()
  const hex = hash.toString('hex')
  return [hex, Buffer.from(hex).toString('base64'), hash.toString('base64')].includes(shown)
}
