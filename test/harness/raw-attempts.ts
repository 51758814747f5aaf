import fc from 'fast-check'
import { functionRequests } from './door-attempts.js'

/** Bytes for a connection, and what may come back. */
export interface RawAttempt {
  readonly name: string
  readonly bytes: string | Buffer
  /** The statuses of all answers, in order, with blanks between them. */
  readonly answers: RegExp
  /** Only the end of the connection tells that no more comes. */
  readonly endsEarly?: true
}

/** No call to this path may ever be made: it stands where no request does. */
export const SMUGGLED = '/smuggled'

export const LIVEZ = 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'
const POST = 'POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
const REFUSED = /^400$/

/** Requests that are broken, smuggled, or many at once. With `token`, of one who may ask for everything. */
export function rawAttempts(targetUrl: string, token?: string): RawAttempt[] {
  const head = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
  const known = [...broken(), ...smuggling(targetUrl, head), ...pipelined(targetUrl, head)]
  return head === '' ? known : [...known, ...ofNobody(targetUrl, head)]
}

/** A request that asks for a call. */
export function invocationRequest(target: string, head = ''): string {
  const body = JSON.stringify({ target })
  return `${POST}${head}Content-Length: ${body.length}\r\n\r\n${body}`
}

function broken(): RawAttempt[] {
  const refused: Record<string, string | Buffer> = {
    'nothing but line breaks': '\r\n'.repeat(1_000).concat('x'),
    'no HTTP': 'hello\r\n\r\n',
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'a version of its own': 'GET /livez HTTP/1.2.3\r\nHost: a\r\n\r\n',
    TLS: Buffer.from('160301020001000200000303', 'hex'),
    'bytes that are no UTF-8 in a path': Buffer.from(LIVEZ.replace('/livez', '/invocations/\xff'), 'latin1'),
    'a method of its own': LIVEZ.replace('GET', 'G\u00c9T'),
    'line breaks of Unix': LIVEZ.replaceAll('\r\n', '\n'),
    'a blank before a colon': LIVEZ.replace('Host:', 'Host :'),
    'no host': 'GET /livez HTTP/1.1\r\n\r\n',
    'a header that is folded': LIVEZ.replace('Host: a', 'Host: a\r\nX: a\r\n b'),
    'a null in a header': LIVEZ.replace('Host: a', 'Host: a\0'),
    'a carriage return in a header': LIVEZ.replace('Host: a', 'Host: a\rx'),
    'a header without a name': LIVEZ.replace('Host: a', 'Host: a\r\n: b'),
    'a length below 0': invocationRequest('http://a').replace(/Length: \d+/, 'Length: -1'),
    noise: Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7919) % 256)),
  }
  const kept: [string, string, RegExp][] = [
    ['HTTP/0.9', 'GET /livez\r\n\r\n', /^200$/],
    ['a long URL', LIVEZ.replace('/livez', `/${'a'.repeat(20_000)}`), /^431$/],
    ['a path with dots', LIVEZ.replace('/livez', '/invocations/../livez'), /^404$/],
    ['a path with nulls', LIVEZ.replace('/livez', '/invocations/%00%0d%0a'), /^40[14]$/],
    ['many cookies', LIVEZ.replace('Host: a', `Host: a\r\n${'Cookie: a=b\r\n'.repeat(500)}Cookie: c`), /^431$/],
    ['a path that cannot be read', LIVEZ.replace('/livez', '/invocations/%c0%af'), REFUSED],
    ['the URL of another host', LIVEZ.replace('/livez', 'http://example.com/livez'), /^200$/],
    ['a star', LIVEZ.replace('GET /livez', 'OPTIONS *'), /^40[045]$/],
    ['a tunnel', 'CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n', /^(40[045])?$/],
    ['an upgrade', LIVEZ.replace('Host: a', 'Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket'), /^200$/],
    ['an expectation', LIVEZ.replace('Host: a', 'Host: a\r\nExpect: wonders'), /^417$/],
  ]
  return [
    ...Object.entries(refused).map(([name, bytes]) => ({ name, bytes, answers: REFUSED })),
    {
      name: 'half a request',
      bytes: invocationRequest('http://a').slice(0, -5),
      answers: /^(40[01])?$/,
      endsEarly: true,
    },
    ...kept.map(([name, bytes, answers]) => ({ name, bytes, answers })),
  ]
}

function smuggling(targetUrl: string, head: string): RawAttempt[] {
  const smuggled = invocationRequest(targetUrl + SMUGGLED, head)
  const post = (headers: string, body: string): string => `${POST}${head}${headers}\r\n\r\n${body}`
  const bodies: [string, string][] = [
    ['a body of a GET', `GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
    ['a body for no path', `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
    ['a body that is no JSON', post(`Content-Length: ${smuggled.length}`, smuggled)],
    ['a body behind an expectation', post(`Expect: 100-continue\r\nContent-Length: ${smuggled.length}`, smuggled)],
    ['a body that is said to be too large', post('Content-Length: 9999999999', smuggled)],
    ['a chunk', post('Transfer-Encoding: chunked', `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`)],
  ]
  return [
    ...misframed(post, smuggled),
    ...bodies.map(([name, bytes]) => ({ name, bytes, answers: /^(100 )?(200|400|404|413|415)$/ })),
  ]
}

/** Two that read these differently would take part of a body for a request. So none of it may be one. */
export function misframed(post: (headers: string, body: string) => string, smuggled: string): RawAttempt[] {
  const chunks = `0\r\n\r\n${smuggled}`
  const framings = [
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nContent-Length: 5',
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: 5\r\nContent-Length: 5',
    'Content-Length: 5, 5',
    'Content-Length: 5 5',
    'Content-Length: +5',
    'Content-Length: 0x5',
    'Content-Length: 5.0',
    'Content-Length:',
    'Content-Length: 99999999999999999999999',
    'Content-Length : 5',
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding: "chunked"',
    'Transfer-Encoding: \x0bchunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
    'Content-Length: 5\r\nTransfer-Encoding:\r\n chunked',
    'Content-Length: 5\nTransfer-Encoding: chunked',
    'Content-Length: 5\rTransfer-Encoding: chunked',
    'X: y\0\r\nContent-Length: 5',
  ]
  const sizes = ['-1', '0x1', '+1', ' 1', '1 1', 'g', '', '1;\n', 'fffffffffffffffff', '00000000000000000001x']
  return [
    ...framings.map((framing) => ({ name: JSON.stringify(framing), bytes: post(framing, chunks), answers: REFUSED })),
    ...sizes.map((size) => ({
      name: `a chunk of size ${JSON.stringify(size)}`,
      bytes: post('Transfer-Encoding: chunked', `${size}\r\na\r\n${chunks}`),
      answers: REFUSED,
    })),
  ]
}

/** Who has no token is answered before his body is read: none of that may be one that has. */
function ofNobody(targetUrl: string, head: string): RawAttempt[] {
  const smuggled = invocationRequest(targetUrl + SMUGGLED, head)
  const bodies = [
    `Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    `Transfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
  ]
  return bodies.map((body) => ({ name: 'a body of nobody', bytes: `${POST}${body}${LIVEZ}`, answers: /^401 200$/ }))
}

function pipelined(targetUrl: string, head: string): RawAttempt[] {
  const count = 500
  const one = invocationRequest(`${targetUrl}/pipelined`, head)
  return [
    { name: 'many at once', bytes: LIVEZ.repeat(count), answers: new RegExp(`^(200 ?){${count}}$`) },
    { name: 'many that are accepted', bytes: one.repeat(count), answers: new RegExp(`^(202 ?){${count}}$`) },
    { name: 'nonsense behind many', bytes: `${LIVEZ.repeat(10)}hello\r\n\r\n`, answers: /^(200 ?){0,10}(400)?$/ },
    {
      name: 'many that wait',
      bytes: `GET /cycle?wait=20ms HTTP/1.1\r\nHost: a\r\n${head}\r\n`.repeat(count),
      answers: new RegExp(`^(20[02] ?){${count}}$`),
    },
    {
      name: 'one that is refused amid others',
      bytes: `${LIVEZ}${LIVEZ.replace('/livez', '/none')}${one}${LIVEZ}`,
      answers: /^200 404 202 200$/,
    },
  ]
}

/** Requests some of whose bytes are others. */
export function mutatedRequests(targetUrl: string): fc.Arbitrary<Buffer> {
  const native = invocationRequest(`${targetUrl}/mutated`, 'Idempotency-Key: a\r\n')
  const requests = [LIVEZ, native, `${LIVEZ}${LIVEZ}`, ...functionRequests()]
  const change = fc.tuple(fc.nat(1_000), fc.nat(4), fc.uint8Array({ maxLength: 4 }))
  return fc
    .tuple(fc.constantFrom(...requests), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([request, changes]) => {
      let bytes = Buffer.from(request)
      for (const [where, drop, insert] of changes) {
        const at = where % bytes.length
        bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + drop)])
      }
      return bytes
    })
}
