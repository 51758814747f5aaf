import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { claimKey, decodeClaim, encodeClaim, payloadHash } from '../src/index.js'
import { anyJson, anyText, plain, validClaim } from './arbitraries.js'
import { failureOf } from './failure.js'
import { holds } from './property.js'

t.test('any claim comes back as it was', async (t) => {
  holds(t, 'round trip', 1_000, validClaim, (claim) => {
    assert.deepEqual(plain(decodeClaim(encodeClaim(claim))), plain(claim))
  })
})

t.test('what is no claim is unreadable', async (t) => {
  const text = String(encodeClaim({ id: 'a', payload: 'b', record: Buffer.from('cd') }))
  t.equal(decodeClaim(Buffer.from(text)).id, 'a', 'the claim that the others are made of')
  const changes: [string, string][] = [
    ['"id":"a"', '"id":5'],
    ['"payload":"b"', '"payload":null'],
    ['"bytes":2', '"bytes":3'],
    ['"bytes":2', '"count":2'],
    ['\ncd', ''],
  ]
  for (const [from, to] of changes) {
    t.ok(text.includes(from), from)
    const changed = Buffer.from(text.replace(from, to))
    t.equal(failureOf(() => decodeClaim(changed)).code, 'record-unreadable', `${from} to ${to}`)
  }
})

t.test('keys have one length, whatever they stand for, and differ', async (t) => {
  holds(
    t,
    'keys',
    1_000,
    fc.uniqueArray(
      anyText.map((text) => text.toWellFormed()),
      { minLength: 2 },
    ),
    (texts) => {
      const keys = texts.map((text) => claimKey(text))
      assert.ok(keys.every((key) => /^[A-Za-z0-9_-]{43}$/.test(key)))
      assert.equal(new Set(keys).size, texts.length)
    },
  )
})

t.test('the order of members makes no other payload, anything else does', async (t) => {
  holds(t, 'order', 1_000, anyJson, (value) => {
    assert.equal(payloadHash(reversed(value)), payloadHash(value))
    assert.notEqual(payloadHash([value]), payloadHash(value))
  })
  t.equal(payloadHash({ a: 1, b: { c: 2, d: 3 } }), payloadHash({ b: { d: 3, c: 2 }, a: 1 }))
  t.not(payloadHash({ a: [1, 2] }), payloadHash({ a: [2, 1] }), 'the order of a list counts')
  t.not(payloadHash({ a: 1 }), payloadHash({ a: '1' }))
  t.not(payloadHash({ a: 1 }), payloadHash({ b: 1 }))
})

/** The same value with the members of each object the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  const object = {}
  for (const [name, member] of Object.entries(value).reverse())
    Object.defineProperty(object, name, {
      value: reversed(member),
      enumerable: true,
      writable: true,
      configurable: true,
    })
  return object
}
