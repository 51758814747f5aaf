import { createHash } from 'node:crypto'
import type { TokenHolder } from '@posthaste/core'
import t, { type Test } from 'tap'
import { bearer, credentialsOf, holderOf } from './callers.js'
import { functionOf, startDoors, startFunction } from './door-setting.js'
import { exchangeRaw, parseRaw } from './setting.js'
import { type Signer, signedByAlibaba, signedByAws, signedForVersion2, type Unsigned } from './signing.js'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const ONE = { id: 'AKIDONE', secret: SECRET }
const TWO = { id: 'AKIDTWO', secret: SECRET.toUpperCase() }
const EVENT = { 'x-amz-invocation-type': 'Event', 'content-type': 'application/json' }
const ASYNC = { 'x-fc-invocation-type': 'Async', 'content-type': 'application/octet-stream' }
const LAMBDA = '/2015-03-31/functions/resize/invocations'
const FC3 = '/2023-03-30/functions/resize/invocations'
const FC2 = '/2016-08-15/services/shop/functions/resize/invocations'
const MINUTE = 60_000

async function start(t: Test, more: Partial<TokenHolder> = {}) {
  const got: { url: string; headers: object; body: string }[] = []
  const target = await startFunction(t, async (request, response) => {
    const { headers, url = '' } = request
    got.push({ url, headers, body: Buffer.concat(await request.toArray()).toString() })
    response.end('"done"')
  })
  const functions = ['resize', 'other'].map((name) => functionOf(target, { name, routes: [`/${name}`] }))
  const { holder, token } = holderOf({ scopes: ['invoke'], accessKeys: [ONE, TWO], ...more })
  const started = await startDoors(t, functions, { credentials: credentialsOf([holder]) })
  const send = async ({ body, headers = {}, method = 'POST', url }: Unsigned) => {
    const answer = await fetch(url, { method, headers, ...(body !== undefined && { body }) })
    return { status: answer.status, type: answer.headers.get('x-amzn-errortype'), text: await answer.text() }
  }
  return { ...started, got, send, token }
}

type Sign = (asked: Unsigned, by: Signer) => Record<string, string>
type Alter = (asked: Unsigned) => Unsigned

const withHeader =
  (name: string, value: string): Alter =>
  (asked) => ({ ...asked, headers: { ...asked.headers, [name]: value } })

t.test('AWS: what is signed is taken as it was signed, and not otherwise', async (t) => {
  const { calls, send, url } = await start(t)
  const asked: Unsigned = { url: `${url}${LAMBDA}?Qualifier=PROD`, headers: EVENT, body: '{"width":200}' }
  const signed = (by: Signer = ONE, given = asked): Unsigned => ({ ...given, headers: signedByAws(given, by) })
  t.match(await send(signed()), { status: 202 })
  t.match(await send(signed(TWO)), { status: 202 }, 'by either key')
  for (const minutes of [-14, 14])
    t.match(await send(signed({ ...ONE, atMs: Date.now() + minutes * MINUTE })), { status: 202 })
  const hash = (text: string) => createHash('sha256').update(text).digest('hex')
  const hashed = (text: string) => signed(ONE, withHeader('x-amz-content-sha256', text)(asked))
  t.match(await send(hashed(hash(asked.body as string))), { status: 202 })
  t.equal(calls().length, 5)

  const later = new Date(Date.now() + MINUTE).toISOString()
  const invalid: Record<string, Unsigned> = {
    'another body': { ...signed(), body: '{"width":201}' },
    'no body': { url: asked.url, headers: signed().headers as never },
    'another type': withHeader('x-amz-invocation-type', 'DryRun')(signed()),
    'another header': withHeader('content-type', 'text/plain')(signed()),
    'another function': { ...signed(), url: asked.url.replace('resize', 'other') },
    'a path that comes to the same': { ...signed(), url: asked.url.replace('resize', 'resiz%65') },
    'another query': { ...signed(), url: asked.url.replace('PROD', 'TEST') },
    'more of a query': { ...signed(), url: `${asked.url}&a=b` },
    'another time': withHeader('x-amz-date', later.replace(/[-:]|\.\d+/g, ''))(signed()),
    'a time long ago': signed({ ...ONE, atMs: Date.now() - 16 * MINUTE }),
    'a time to come': signed({ ...ONE, atMs: Date.now() + 16 * MINUTE }),
    'another secret': signed({ ...ONE, secret: TWO.secret }),
    'another service': signed({ ...ONE, service: 's3' }),
    'a body that is not signed': hashed('UNSIGNED-PAYLOAD'),
    'a body in signed chunks': hashed('STREAMING-AWS4-HMAC-SHA256-PAYLOAD'),
    'the hash of another body': hashed(hash('{"width":201}')),
    'a signature cut short': alteredAuthorization(signed(), (text) => text.slice(0, -1)),
    'a signature of nothing': alteredAuthorization(signed(), (text) => text.replace(/Signature=.*/, 'Signature=00')),
  }
  for (const [what, altered] of Object.entries(invalid))
    t.match(await send(altered), { status: 403, type: 'InvalidSignatureException' }, what)
  const incomplete: Record<string, Unsigned> = {
    'a header more': withHeader('x-amz-client-context', 'e30=')(signed()),
    'a key more': withHeader('idempotency-key', 'a')(signed()),
    ...Object.fromEntries(
      ['prefer', 'invocationtype', 'x-callback-url', 'x-fc-async-delay', 'posthaste-depth'].map((name) => [
        name,
        withHeader(name, '1')(signed()),
      ]),
    ),
    'no host': alteredAuthorization(signed(), (text) => text.replace('host;', '')),
    'a header that is not there': alteredAuthorization(signed(), (text) => text.replace('host;', 'host;none;')),
    'a type that is not signed': withHeader('x-amz-invocation-type', 'Event')(signed(ONE, { ...asked, headers: {} })),
    'no signed headers': alteredAuthorization(signed(), (text) => text.replace(/SignedHeaders=[^,]*, /, '')),
    'no signature': alteredAuthorization(signed(), (text) => text.replace(/, Signature=.*/, '')),
    'half a credential': alteredAuthorization(signed(), (text) => text.replace('/aws4_request', '')),
    'no time': { ...signed(), headers: without(signed().headers as never, 'x-amz-date') },
    nothing: alteredAuthorization(signed(), () => 'AWS4-HMAC-SHA256'),
    'no fields': alteredAuthorization(signed(), () => 'AWS4-HMAC-SHA256 a,b,c'),
  }
  for (const [what, altered] of Object.entries(incomplete))
    t.match(await send(altered), { status: 403, type: 'IncompleteSignatureException' }, what)
  const unknown = await send(signed({ ...ONE, id: 'AKIDTHREE' }))
  t.match(unknown, { status: 403, type: 'UnrecognizedClientException', text: /"Type":"User"/ })
  t.equal(calls().length, 5, 'nothing of that was taken')
  t.notMatch(JSON.stringify(calls()), /AKID|authorization|x-amz-date/)
})

t.test('AWS: beneath a prefix all of the path is signed', async (t) => {
  const { holder } = holderOf({ scopes: ['invoke'], accessKeys: [ONE] })
  const credentials = credentialsOf([holder])
  const { url } = await startDoors(t, [functionOf('http://127.0.0.1:1/')], { credentials }, ['aws=/lambda'])
  const headers = signedByAws({ url: `${url}/lambda${LAMBDA}`, headers: EVENT, body: '{}' }, ONE)
  const answer = await fetch(`${url}/lambda${LAMBDA}`, { method: 'POST', headers, body: '{}' })
  t.equal(answer.status, 202)
})

t.test('AWS: a key that is not known is refused before the body is there', async (t) => {
  const { port, url } = await start(t)
  const asked = { url: url + LAMBDA, headers: EVENT, body: 'x'.repeat(1_000) }
  const head = ({ id, secret }: Signer): string => {
    const headers = { host: `127.0.0.1:${port}`, 'content-length': '1000', connection: 'close' }
    const lines = Object.entries({ ...headers, ...signedByAws(asked, { id, secret }) }).map((pair) => pair.join(': '))
    return [`POST ${LAMBDA} HTTP/1.1`, ...lines, '', ''].join('\r\n')
  }
  t.match(parseRaw(await exchangeRaw(port, head({ ...ONE, id: 'AKIDTHREE' }))), { status: 403 })
})

t.test('AWS: what would pass through is read, and looked at, first', async (t) => {
  const { calls, got, send, url } = await start(t)
  for (const [path, headers] of [
    ['/function/resize/a', {}],
    ['/resize/a', { invocationtype: 'Event' }],
    ['/resize/a/async', {}],
  ] as const) {
    const asked: Unsigned = { url: `${url}${path}?b=c%20d&a=1`, method: 'PUT', headers, body: 'as it is' }
    const signed = { ...asked, headers: signedByAws(asked, { ...ONE, service: 'execute-api' }) }
    const before = got.length + calls().length
    const altered = await send({ ...signed, body: 'as it was' })
    t.match(altered, { status: path.endsWith('async') ? 401 : 403, text: /signature/i }, path)
    t.equal(got.length + calls().length, before)
    t.ok((await send(signed)).status < 300, path)
  }
  t.match(got, [{ url: '/a?b=c%20d&a=1', body: 'as it is' }])
  t.notMatch(JSON.stringify(got), /x-amz-|authorization/i, 'nor does the signature pass on')
  const targets = calls().map(({ target }) => target)
  t.strictSame(targets, ['function://resize/a?b=c%20d&a=1', 'function://resize/a?b=c%20d&a=1'])
  t.notMatch(JSON.stringify(calls()), /x-amz-|authorization/i)
})

t.test('a key may do what its entry says', async (t) => {
  const { send, url } = await start(t, { functions: ['other'] })
  const asked: Unsigned = { url: url + LAMBDA, headers: EVENT, body: '{}' }
  const by = (given: Unsigned) => send({ ...given, headers: signedByAws(given, ONE) })
  t.match(await by(asked), { status: 403, type: 'AccessDeniedException' })
  t.match(await by({ ...asked, url: asked.url.replace('resize', 'other') }), { status: 202 })
  const elsewhere: Unsigned = { url: `${url}/async-function/other`, body: '{}' }
  t.match(await by(elsewhere), { status: 401 }, 'at doors of its own system alone')
})

t.test('Alibaba: what is signed is taken as it was signed, in both versions', async (t) => {
  for (const [path, sign, code] of [
    [FC3, signedByAlibaba, 'Code'],
    [FC2, signedForVersion2, 'ErrorCode'],
  ] as const) {
    const { calls, send, url } = await start(t)
    const asked: Unsigned = { url: `${url}${path}?qualifier=a`, headers: ASYNC, body: 'event' }
    const signed = (by: Signer = ONE): Unsigned => ({ ...asked, headers: (sign as Sign)(asked, by) })
    t.match(await send(signed()), { status: 202 }, path)
    t.match(await send(signed(TWO)), { status: 202 })
    const invalid: Record<string, Unsigned> = {
      'another body': { ...signed(), body: 'events' },
      'another function': { ...signed(), url: asked.url.replace('resize', 'other') },
      'another type': withHeader('content-type', 'text/plain')(signed()),
      'a time long ago': signed({ ...ONE, atMs: Date.now() - 16 * MINUTE }),
      'another secret': signed({ ...ONE, secret: TWO.secret }),
    }
    for (const [what, altered] of Object.entries(invalid)) {
      const { status, text } = await send(altered)
      t.match({ status, body: JSON.parse(text) }, { status: 403, body: { [code]: 'SignatureNotMatch' } }, what)
    }
    const unknown = await send(signed({ ...ONE, id: 'LTAI' }))
    t.match([unknown.status, JSON.parse(unknown.text)], [403, { [code]: 'InvalidAccessKeyID' }])
    for (const altered of [
      alteredAuthorization(signed(), (text) => text.split(' ')[0] as string),
      ...['prefer', 'invocationtype', 'x-callback-url', 'posthaste-depth'].map((name) =>
        withHeader(name, '1')(signed()),
      ),
    ]) {
      const { status, text } = await send(altered)
      t.match([status, JSON.parse(text)], [400, { [code]: 'MissingRequiredHeader' }])
    }
    t.equal(calls().length, 2)
    const spaced = withHeader('content-type', 'text/plain;  a=b')(asked)
    t.match(await send({ ...spaced, headers: (sign as Sign)(spaced, ONE) }), { status: 202 }, 'blanks stay as they are')
  }
})

t.test('Alibaba: of version 2 the hash of the body may be written as any SDK does it', async (t) => {
  const { send, url } = await start(t)
  const asked: Unsigned = { url: url + FC2, headers: ASYNC, body: 'event' }
  const forms = [(hex: string) => hex, (hex: string) => Buffer.from(hex, 'hex').toString('base64')]
  for (const form of forms) {
    const signed = { ...asked, headers: signedForVersion2(asked, ONE, form) }
    t.match(await send(signed), { status: 202 })
    t.match(await send({ ...signed, body: 'events' }), { status: 403 })
  }
  for (const form of [() => '', () => 'x'])
    t.match(await send({ ...asked, headers: signedForVersion2(asked, ONE, form) }), { status: 403 }, 'it must be there')
})

t.test('Alibaba: of version 3 the host, and what else is its own, is signed', async (t) => {
  const { send, url } = await start(t)
  const asked: Unsigned = { url: url + FC3, headers: ASYNC, body: 'event' }
  const signed = { ...asked, headers: signedByAlibaba(asked, ONE) }
  for (const altered of [
    withHeader('x-acs-more', 'a')(signed),
    alteredAuthorization(signed, (text) => text.replace('host;', '')),
  ])
    t.match(await send(altered), { status: 400, text: /MissingRequiredHeader/ })
  t.match(await send(withHeader('x-acs-content-sha256', 'UNSIGNED-PAYLOAD')(signed)), { status: 403 })
  t.match(await send({ ...signed, url: `${signed.url}?qualifier=b` }), { status: 403, text: /SignatureNotMatch/ })
})

t.test('where nobody must say who he is a signature is not looked at', async (t) => {
  const { calls, url } = await startDoors(t, [functionOf('http://127.0.0.1:1/')])
  const asked: Unsigned = { url: url + LAMBDA, headers: EVENT, body: '{}' }
  const headers = signedByAws(asked, { id: 'any', secret: 'any' })
  t.equal((await fetch(asked.url, { method: 'POST', headers, body: '[]' })).status, 202)
  t.equal(calls().length, 1)
})

t.test('who shows a token needs no signature', async (t) => {
  const { send, token, url } = await start(t)
  t.match(await send({ url: url + LAMBDA, headers: { ...EVENT, ...bearer(token) }, body: '{}' }), { status: 202 })
})

function alteredAuthorization(signed: Unsigned, alter: (text: string) => string): Unsigned {
  return withHeader('authorization', alter(signed.headers?.authorization as string))(signed)
}

function without(headers: Readonly<Record<string, string>>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([one]) => one !== name))
}
