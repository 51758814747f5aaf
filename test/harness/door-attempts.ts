import { FUNCTIONS, LARGE } from './door-requests.js'
import { invocationRequest, LIVEZ, misframed, type RawAttempt, SMUGGLED } from './raw-attempts.js'

const [GOOD] = FUNCTIONS.answering
/** Where a body is passed on as it comes, or read. */
const LINES = [
  `POST /function/${GOOD}/a?b=c`,
  `PUT /function/${GOOD}/async`,
  `POST /2015-03-31/functions/${GOOD}/invocations`,
  `POST /2023-03-30/functions/${GOOD}/invocations`,
  `POST /call?to=function://${GOOD}`,
]
/** What is answered before its body is there, or without. */
const EARLY_LINES = ['POST /function/nothing', 'POST /function/gone', 'PUT /async-function/nothing', 'PUT /function/%']
const MANY = 200

/** Requests to front doors that are broken, smuggled, many at once, or that end early. */
export function doorAttempts(targetUrl: string, token?: string): RawAttempt[] {
  const head = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
  // What is behind the proxy must not take it for a request either.
  const smuggled = `${invocationRequest(targetUrl + SMUGGLED, head)}GET ${SMUGGLED} HTTP/1.1\r\nHost: a\r\n\r\n`
  const postFor = (line: string, head: string): Post => {
    return (headers, body) => `${line} HTTP/1.1\r\nHost: a\r\n${head}${headers}\r\n\r\n${body}`
  }
  const told = (line: string, all: readonly RawAttempt[]) =>
    all.map((one) => ({ ...one, name: `${line}, ${one.name}` }))
  const nobodys = head === '' ? [] : LINES
  return [
    ...LINES.flatMap((line) => {
      const post = postFor(line, head)
      return told(line, [...misframed(post, smuggled), ...wellFramed(post, smuggled), ...cutShort(post)])
    }),
    ...EARLY_LINES.flatMap((line) => told(line, wellFramed(postFor(line, head), smuggled))),
    ...nobodys.flatMap((line) => told(`${line} of nobody`, wellFramed(postFor(line, ''), smuggled))),
    ...pipelined(head),
  ]
}

/** Whole requests as bytes, to be changed. */
export function functionRequests(): string[] {
  return LINES.map((line) => `${line} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}`)
}

type Post = (headers: string, body: string) => string

/** Whatever is in a body, it is a body. */
function wellFramed(post: Post, smuggled: string): RawAttempt[] {
  const chunk = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n`
  const bodies: Record<string, string> = {
    'a body that looks like requests': post(`Content-Length: ${smuggled.length}`, smuggled),
    'a chunk that does': post('Transfer-Encoding: chunked', `${chunk}\r\n`),
    'a chunk with a trailer': post('Transfer-Encoding: chunked\r\nTrailer: a', `${chunk}a: b\r\n\r\n`),
    'an expectation': post(`Expect: 100-continue\r\nContent-Length: ${smuggled.length}`, smuggled),
    'headers of the connection': post(
      `Connection: keep-alive, content-length, host\r\nTE: trailers\r\nContent-Length: ${smuggled.length}`,
      smuggled,
    ),
  }
  const upgrade = post(`Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: ${smuggled.length}`, smuggled)
  const answers = /^(100 )?(20[02]|40[01345]|502) 200$/
  return [
    ...Object.entries(bodies).map(([name, bytes]) => ({ name, bytes: bytes + LIVEZ, answers })),
    // Node reads nothing behind it.
    { name: 'an upgrade', bytes: upgrade, answers: /^(20[02]|40[01345]|502)$/ },
  ]
}

/** The client says that more comes, and goes. */
function cutShort(post: Post): RawAttempt[] {
  return [post('Content-Length: 100000', '{"a":'), post('Transfer-Encoding: chunked', 'ffff\r\n{"a":')].map(
    (bytes) => ({
      name: 'a body that ends early',
      bytes,
      answers: /^(400|408)?$/,
      endsEarly: true,
    }),
  )
}

function pipelined(head: string): RawAttempt[] {
  const ask = (line: string, more = '', body = ''): string => `${line} HTTP/1.1\r\nHost: a\r\n${head}${more}\r\n${body}`
  const now = ask(`POST /function/${GOOD}`, 'Content-Length: 2\r\n', '{}')
  const later = ask(`POST /async-function/${GOOD}`, 'Content-Length: 2\r\n', '{}')
  return [
    { name: 'many large ones that nobody fetches', bytes: ask(`GET /function/${LARGE}`).repeat(MANY), answers: /^200/ },
    { name: 'many at once', bytes: now.repeat(MANY), answers: new RegExp(`^(200 ?){${MANY}}$`) },
    {
      name: 'many at once and later',
      bytes: (now + later).repeat(MANY),
      answers: new RegExp(`^(200 202 ?){${MANY}}$`),
    },
    {
      name: 'some that fail amid others',
      bytes: `${now}${ask('GET /function/breaking')}${now}${ask('GET /function/nothing')}${LIVEZ}`,
      answers: /^200 502 200 404 200$/,
    },
  ]
}
