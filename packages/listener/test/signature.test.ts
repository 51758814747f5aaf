import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import {
  type InstructionInput,
  parseSigningKey,
  parseTargetPattern,
  type SigningKey,
  type TargetRule,
} from '@posthaste/core'
import { Webhook } from 'standardwebhooks'
import t, { type Test } from 'tap'
import { webhookHeaders } from '../src/webhook-signature.js'
import { type Answer, runOne, type Seen, startListener, startTarget, until } from './setting.js'

const secret = (): string => `whsec_${randomBytes(32).toString('base64')}`
const keyOf = (text: string): SigningKey => parseSigningKey(text) as SigningKey
const [OLD, NEW, OTHER] = [secret(), secret(), secret()]

/** As a receiver does that knows nothing of Posthaste. @throws Error if it is not signed with the secret */
const verifySeen = ({ body, headers }: Seen, key: string): unknown =>
  new Webhook(key).verify(body, headers as Record<string, string>, { jsonParse: false })

async function startSigned(t: Test, sign: readonly string[], answer?: Answer) {
  const target = await startTarget(t, answer)
  const match = parseTargetPattern(target.url)
  const targetRules = [{ match, sign: sign.map(keyOf) }] as TargetRule[]
  const running = await startListener(t, { targetRules, retry: { ...retry, maxAttempts: 3 } })
  return { target, running }
}
const retry = {
  initialDelayMs: 1,
  factor: 1,
  maxDelayMs: 1,
  jitter: 'none',
  maxAgeMs: 24 * 3_600_000,
  statuses: ['5xx'],
  errors: [],
} as const

t.test('a signature that others made, and that of the library', async (t) => {
  // From the manual of Svix, where Standard Webhooks comes from.
  const key = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const body = Buffer.from('{"test": 2432232314}')
  const headers = webhookHeaders([keyOf(key)], 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_999, body)
  t.strictSame(headers, [
    'webhook-id',
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp',
    '1614265330',
    'webhook-signature',
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  ])
  for (const text of ['', 'a', 'ä\u{1f600}\n', 'x'.repeat(100_000)]) {
    const [, , , , , signature] = webhookHeaders([keyOf(OLD)], 'id', 1_000, Buffer.from(text))
    t.equal(signature, new Webhook(OLD).sign('id', new Date(1_000), text))
  }
})

t.test('calls of every kind are signed, and only with the secrets of their target', async (t) => {
  const { running, target } = await startSigned(t, [NEW, OLD])
  const bodies: Partial<InstructionInput>[] = [{ body: { a: 'ä' } }, { body: 'text' }, { method: 'GET' }, { body: '' }]
  for (const instruction of bodies) await runOne(running, { target: target.url, ...instruction })
  for (const seen of target.seen) {
    for (const key of [NEW, OLD]) t.doesNotThrow(() => verifySeen(seen, key), seen.body.toString())
    t.throws(() => verifySeen(seen, OTHER))
    t.throws(() => verifySeen({ ...seen, body: Buffer.concat([seen.body, Buffer.from(' ')]) }, NEW), 'another body')
    for (const name of ['webhook-id', 'webhook-timestamp'])
      t.throws(() => verifySeen({ ...seen, headers: { ...seen.headers, [name]: '1' } }, NEW), `another ${name}`)
  }
  t.equal(target.seen.length, bodies.length)
})

t.test('what is forwarded, and what destinations are told, is signed', async (t) => {
  const answer: Answer = ({ url }, response) => response.writeHead(url === '/bad' ? 404 : 200).end('answer')
  const { running, target } = await startSigned(t, [NEW], answer)
  const other = await startTarget(t)
  const told = {
    forwardTo: `${target.url}/forward`,
    onSuccess: `${target.url}/success`,
    onFailure: { url: `${target.url}/failure`, format: 'cloudevents' as const },
  }
  await runOne(running, { target: other.url, ...told })
  await runOne(running, { target: `${target.url}/bad`, ...told })
  await until(() => target.seen.length === 5)
  t.strictSame(target.seen.map(({ url }) => url).sort(), ['/bad', '/failure', '/forward', '/forward', '/success'])
  for (const seen of target.seen) t.doesNotThrow(() => verifySeen(seen, NEW), seen.url)
  t.equal(new Set(target.seen.map(({ headers }) => headers['webhook-id'])).size, 5, 'each is a message of its own')
  t.notOk(other.seen[0]?.headers['webhook-signature'], 'no rule is for this one')
})

t.test('every attempt is signed anew, for the same message', async (t) => {
  const { running, target } = await startSigned(t, [NEW], (_, response) => response.writeHead(503).end())
  const acceptedAtMs = Date.now() - 3_600_000
  const { id } = await runOne(
    running,
    { target: target.url, headers: { 'idempotency-key': 'a.1.b' } },
    { acceptedAtMs },
  )
  t.strictSame(
    target.seen.map(({ headers }) => headers['webhook-id']),
    [id, id, id],
  )
  for (const { atMs, headers } of target.seen)
    t.ok(Math.abs(Number(headers['webhook-timestamp']) * 1000 - atMs) < 60_000, 'at the time of the attempt')
  t.equal(target.seen[0]?.headers['idempotency-key'], 'a.1.b', 'which is not the id: that nobody chooses')
  await runOne(running, { target: target.url }, { id, generation: 2 })
  t.equal(target.seen.at(-1)?.headers['webhook-id'], `${id}-2`)
  await runOne(running, { target: target.url }, { id: 'a.1.b' })
  const [first, ...more] = target.seen.slice(-3).map(({ headers }) => String(headers['webhook-id']))
  t.match(first, /^[0-9a-f-]+$/, 'the id of another producer cannot be taken for a time and a part of a body')
  t.strictSame(more, [first, first])
  for (const seen of target.seen) t.doesNotThrow(() => verifySeen(seen, NEW))
})

t.test('an instruction cannot sign, and where nothing signs it may say what it likes', async (t) => {
  const { running, target } = await startSigned(t, [NEW])
  const other = await startTarget(t)
  const forged = {
    'Webhook-Id': 'evil',
    'webhook-timestamp': '1',
    'webhook-signature': ['v1,evil', 'v1,evil'],
    webhook_signature: 'v1,evil',
  }
  await runOne(running, { target: target.url, headers: forged })
  await runOne(running, { target: other.url, headers: forged })
  const [signed, passed] = [target.seen[0] as Seen, other.seen[0] as Seen]
  t.doesNotThrow(() => verifySeen(signed, NEW))
  t.notMatch(signed.rawHeaders.join(), /evil/)
  t.match(
    passed.headers,
    { 'webhook-id': 'evil', 'webhook-signature': 'v1,evil, v1,evil' },
    'a relay passes on what it got',
  )
})

t.test('ed25519, beside a secret, and bodies that are no text', async (t) => {
  const pair = generateKeyPairSync('ed25519')
  const { d = '' } = pair.privateKey.export({ format: 'jwk' })
  const { running, target } = await startSigned(t, [`whsk_${Buffer.from(d, 'base64url').toString('base64')}`, NEW])
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('base64')
  await runOne(running, { target: target.url, body: { a: 'ä' } })
  await runOne(running, { target: target.url, body: all, bodyEncoding: 'base64' })
  await runOne(running, { target: target.url, body: randomBytes(500_000).toString('base64'), bodyEncoding: 'base64' })
  // What a receiver has: the public key, as text.
  const known = createPublicKey(pair.publicKey.export({ format: 'pem', type: 'spki' }))
  for (const { body, headers } of target.seen) {
    const start = `${headers['webhook-id']}.${headers['webhook-timestamp']}.`
    const [, signature = '', hmac] = /^v1a,(\S+) v1,(\S+)$/.exec(`${headers['webhook-signature']}`) ?? []
    // The library knows text alone.
    t.equal(hmac, createHmac('sha256', keyOf(NEW).bytes).update(start).update(body).digest('base64'))
    const isRight = (text: Buffer): boolean => verify(null, text, known, Buffer.from(signature, 'base64'))
    t.ok(isRight(Buffer.concat([Buffer.from(start), body])))
    t.notOk(isRight(Buffer.concat([Buffer.from(start), body, Buffer.from('x')])))
  }
  t.equal(target.seen.length, 3)
  t.doesNotThrow(() => verifySeen(target.seen[0] as Seen, NEW))
})
