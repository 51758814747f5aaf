import { createHmac } from 'node:crypto'
import type { Signature } from './signature.js'
import {
  bytesOf,
  checkTime,
  encode,
  incomplete,
  invalid,
  isSame,
  type SignedRequest,
  sha256,
} from './signed-request.js'

const SCHEME = 'AWS4-HMAC-SHA256'
const END = 'aws4_request'
/** What these doors stand for: a request that was signed for another service is not meant for them. */
const SERVICES = ['lambda', 'execute-api']
/** What of the headers says what is to be done. */
const MUST_SIGN = /^(host|invocationtype|idempotency-key|x-amz-.*|posthaste-.*)$/
const HASH_HEADER = 'x-amz-content-sha256'
const DATE_HEADER = 'x-amz-date'
const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/

/**
 * AWS's Signature Version 4, in `Authorization`. Other than AWS, a path is not made simpler first, and a body is always signed.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export const awsSignature: Signature = {
  scheme: SCHEME,
  headers: [DATE_HEADER, HASH_HEADER, 'x-amz-security-token'],
  read(request, nowMs) {
    const { fields } = request
    const [keyId = '', day, region, service = '', end, ...more] = (fields.get('Credential') ?? '').split('/')
    if (end !== END || more.length > 0) throw incomplete(`Credential is not KEY/DAY/REGION/SERVICE/${END}.`)
    if (!SERVICES.includes(service)) throw invalid(`It was signed for the service "lambda" or "execute-api".`)
    const names = request.signedNames(MUST_SIGN)
    const time = timeOf(request, day, nowMs)
    const signature = fields.get('Signature') ?? ''
    if (signature === '') throw incomplete("Authorization header requires 'Signature' parameter.")
    const scope = [day, region, service, END]
    // Each part once more, for it is sent encoded.
    const path = request.path.split('/').map(encode).join('/')
    const isBy = (secret: string, body: Buffer): boolean => {
      const hash = sha256(body)
      if ((request.header(HASH_HEADER) ?? hash) !== hash) return false
      const signed = [SCHEME, time, scope.join('/'), sha256(request.canonical(path, names, hash, singleSpaced))].join(
        '\n',
      )
      const key = scope.reduce<string | Buffer>((from, part = '') => hmac(from, part), `AWS4${secret}`)
      return isSame(signature, hmac(key, signed).toString('hex'))
    }
    return { keyId, isBy }
  },
}

/** @throws Unauthenticated if it is not of now, or of another day than the key */
function timeOf(request: SignedRequest, day: string | undefined, nowMs: number): string {
  const time = request.header(DATE_HEADER) ?? ''
  checkTime(Date.parse(time.replace(TIME, '$1-$2-$3T$4:$5:$6Z')), nowMs)
  if (!TIME.test(time)) throw incomplete('X-Amz-Date is not such as 20261122T080000Z.')
  if (!time.startsWith(`${day}T`)) throw invalid('Credential is of another day than X-Amz-Date.')
  return time
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(bytesOf(text)).digest()
}

function singleSpaced(value: string): string {
  return value.replace(/\s+/g, ' ')
}
