import { createHash, createHmac } from 'node:crypto'

/** What is asked, before it is signed. Names of headers are in lower case, and nothing in the path is encoded. */
export interface Unsigned {
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Signer {
  readonly id: string
  readonly secret: string
  readonly atMs?: number
  readonly service?: string
}

type Headers = Record<string, string>

/** The headers of a request that is signed as AWS's clients do it: Signature Version 4. */
export function signedByAws(asked: Unsigned, { atMs = Date.now(), id, secret, service = 'lambda' }: Signer): Headers {
  const time = new Date(atMs).toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = [time.slice(0, 8), 'eu-central-1', service, 'aws4_request']
  const { canonical, headers, names } = canonicalOf(asked, { 'x-amz-date': time })
  const text = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(canonical)].join('\n')
  const key = scope.reduce<Buffer>((from, part) => hmac(from, part), Buffer.from(`AWS4${secret}`))
  const signature = hmac(key, text).toString('hex')
  const credential = `Credential=${id}/${scope.join('/')}`
  const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`
  return { ...headers, authorization }
}

/** The same as Alibaba's do it for Function Compute 3. */
export function signedByAlibaba(asked: Unsigned, { atMs = Date.now(), id, secret }: Signer): Headers {
  const time = new Date(atMs).toISOString().replace(/\.\d+/, '')
  const own = { 'x-acs-date': time, 'x-acs-content-sha256': sha256(asked.body ?? '') }
  const { canonical, headers, names } = canonicalOf(asked, own, (name) => !name.startsWith('x-fc-'))
  const signature = hmac(Buffer.from(secret), `ACS3-HMAC-SHA256\n${sha256(canonical)}`).toString('hex')
  return {
    ...headers,
    authorization: `ACS3-HMAC-SHA256 Credential=${id},SignedHeaders=${names},Signature=${signature}`,
  }
}

/** The same for its version 2, at a path of its API. */
export function signedForVersion2(
  asked: Unsigned,
  { atMs = Date.now(), id, secret }: Signer,
  hashForm = (hex: string) => Buffer.from(hex).toString('base64'),
): Headers {
  const { body = '', headers = {}, method = 'POST', url } = asked
  const date = new Date(atMs).toUTCString()
  const md5 = hashForm(createHash('md5').update(body).digest('hex'))
  const own = Object.entries(headers)
    .filter(([name]) => name.startsWith('x-fc-'))
    .map((pair) => pair.join(':'))
  const type = headers['content-type'] ?? ''
  const text = [method, body && md5, type, date, ...own.sort(), new URL(url).pathname].join('\n')
  const signature = hmac(Buffer.from(secret), text).toString('base64')
  return { ...headers, date, ...(body && { 'content-md5': md5 }), authorization: `FC ${id}:${signature}` }
}

/** All that was given is signed, but for what is not `isSigned`. */
function canonicalOf(
  { body = '', method = 'POST', url, ...asked }: Unsigned,
  own: Headers,
  isSigned = (_: string) => true,
) {
  const { host, pathname, searchParams } = new URL(url)
  const headers: Headers = { ...asked.headers, ...own }
  const all: Headers = { ...headers, host }
  const signed = Object.keys(all).filter(isSigned).sort()
  const names = signed.join(';')
  const query = [...searchParams].map((pair) => pair.map(encodeURIComponent).join('=')).sort()
  const lines = signed.map((name) => `${name}:${all[name]}`)
  const canonical = [method, pathname, query.join('&'), ...lines, '', names, sha256(body)].join('\n')
  return { canonical, headers, names }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
