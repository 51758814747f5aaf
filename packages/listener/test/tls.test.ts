import { once } from 'node:events'
import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import {
  functionMapOf,
  parseFunctionFile,
  parseTargetPattern,
  type TargetPattern,
  type TargetRule,
  type TargetTls,
} from '@posthaste/core'
import t, { type Test } from 'tap'
import type { ListenerOptions } from '../src/index.js'
import { CERTIFICATE, EXPIRED, KEY, OTHER } from './certificate.js'
import { runOne, startListener } from './setting.js'

const mutual = { requestCert: true, rejectUnauthorized: true, ca: CERTIFICATE }
const trusting: TargetTls = { ca: CERTIFICATE }
const showing: TargetTls = { ca: CERTIFICATE, cert: CERTIFICATE, key: KEY }

/** A target that speaks TLS as `server` says, and whom it saw. */
async function startTlsTarget(t: Test, server: ServerOptions) {
  const peers: string[] = []
  const target = createServer({ key: KEY, cert: CERTIFICATE, ...server }, ({ socket }, response) => {
    peers.push(`${(socket as TLSSocket).getPeerCertificate().subject?.CN} ${(socket as TLSSocket).getProtocol()}`)
    response.setHeader('connection', 'close').end()
  })
  target.on('tlsClientError', () => {})
  await once(target.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    target.closeAllConnections()
    target.close()
  })
  return { peers, url: `https://localhost:${(target.address() as AddressInfo).port}` }
}

function ruleOf(url: string, tls: TargetTls): TargetRule {
  return { match: parseTargetPattern(url) as TargetPattern, tls }
}

/** Calls such a target, and returns how that ended, and whom the target saw. */
async function call(
  t: Test,
  server: ServerOptions,
  tls: TargetTls | undefined,
  options: Partial<ListenerOptions> = {},
) {
  const { peers, url } = await startTlsTarget(t, server)
  const running = await startListener(t, { targetRules: tls ? [ruleOf(url, tls)] : [], ...options })
  const { failure, state } = await runOne(running, { target: url })
  return { end: failure?.code ?? state, peers }
}

t.test('a target is trusted as its rule says', async (t) => {
  t.match(await call(t, {}, trusting), { end: 'succeeded', peers: ['undefined TLSv1.3'] })
  t.match(
    await call(t, {}, { minVersion: 'TLSv1.2' }),
    { end: 'tls-failed', peers: [] },
    'by default nobody vouches for it',
  )
})

t.test('a certificate that has run out, or is of another name, is not trusted', async (t) => {
  t.match(await call(t, { cert: EXPIRED }, { ca: EXPIRED }), { end: 'tls-failed', peers: [] })
  t.match(await call(t, { cert: OTHER }, { ca: OTHER }), { end: 'tls-failed', peers: [] })
  t.match(await call(t, {}, { ca: OTHER }), { end: 'tls-failed', peers: [] }, 'nor by another authority')
})

t.test('whatever the environment says of trust', async (t) => {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
  })
  t.match(await call(t, {}, undefined), { end: 'tls-failed', peers: [] })
})

t.test('a target that wants to know who calls is shown a certificate, and no other is', async (t) => {
  t.match(await call(t, mutual, showing), { end: 'succeeded', peers: ['localhost TLSv1.3'] })
  const { end, peers } = await call(t, mutual, trusting)
  t.match(end, /^(tls-failed|connection-closed)$/)
  t.strictSame(peers, [])
  t.match(await call(t, { ...mutual, rejectUnauthorized: false }, trusting), { peers: ['undefined TLSv1.3'] })
})

t.test('a target that does not know the certificate that it is shown is not called', async (t) => {
  const { end, peers } = await call(t, mutual, { ...showing, cert: OTHER })
  t.match(end, /^(tls-failed|connection-closed)$/)
  t.strictSame(peers, [])
})

t.test('each target is shown its own certificate, also where names and sessions are the same', async (t) => {
  const asking = { ...mutual, rejectUnauthorized: false, ca: [CERTIFICATE, OTHER] }
  const targets = await Promise.all([1, 2, 3].map(() => startTlsTarget(t, asking)))
  const [first, second, third] = targets.map(({ url }) => url) as [string, string, string]
  const targetRules = [ruleOf(first, showing), ruleOf(second, { ...showing, cert: OTHER }), ruleOf(third, trusting)]
  const running = await startListener(t, { targetRules })
  for (const target of [first, second, third, third, second, first])
    t.equal((await runOne(running, { target })).state, 'succeeded')
  const seen = ['localhost', 'other.example', 'undefined'].map((name) => `${name} TLSv1.3`)
  t.strictSame(
    targets.map(({ peers }) => peers),
    seen.map((peer) => [peer, peer]),
  )
})

t.test('a function is trusted, and shown a certificate, as the rule for where it is says', async (t) => {
  const { peers, url } = await startTlsTarget(t, mutual)
  const functions = functionMapOf(parseFunctionFile({ functions: { fn: { url } } }, () => ({ value: '' })))
  const running = await startListener(t, { targetRules: [ruleOf(url, showing)], functions: () => functions })
  t.match(await runOne(running, { function: 'fn' }), { state: 'succeeded' })
  t.strictSame(peers, ['localhost TLSv1.3'])
})

t.test('no older TLS is spoken than is allowed', async (t) => {
  const old = { maxVersion: 'TLSv1.2' } as const
  t.match(await call(t, old, trusting, { tlsMin: 'TLSv1.2' }), { end: 'succeeded', peers: ['undefined TLSv1.2'] })
  t.match(await call(t, old, trusting, { tlsMin: 'TLSv1.3' }), { end: 'tls-failed', peers: [] })
  t.match(await call(t, old, { ...trusting, minVersion: 'TLSv1.3' }, { tlsMin: 'TLSv1.2' }), {
    end: 'tls-failed',
    peers: [],
  })
  t.match(await call(t, old, { ...trusting, minVersion: 'TLSv1.2' }, { tlsMin: 'TLSv1.3' }), { end: 'succeeded' })
  const oldest = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
  t.match(await call(t, oldest, trusting, { tlsMin: 'TLSv1.2' }), { end: 'tls-failed', peers: [] })
})
