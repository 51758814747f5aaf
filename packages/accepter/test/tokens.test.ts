import { randomBytes } from 'node:crypto'
import { createToken, hashToken, type TokenHolder } from '@posthaste/core'
import t from 'tap'
import { Tokens } from '../src/index.js'
import { holderOf } from './callers.js'

t.test('a token is told by the whole of its hash', async (t) => {
  const { holder, token } = holderOf({ scopes: ['read'], name: 'one' })
  const alike: TokenHolder = { ...holder, name: 'alike', hashes: [like(token), like(token)] }
  t.equal(new Tokens([alike]).callerOf(token), undefined)
  t.equal(new Tokens([alike, holder, { ...alike, name: 'another' }]).callerOf(token)?.name, 'one')
})

t.test('those that are replaced are known no more', async (t) => {
  const [one, two] = [holderOf({ scopes: ['read'], name: 'one' }), holderOf({ scopes: ['read'], name: 'two' })]
  const tokens = new Tokens([one.holder])
  tokens.replace([two.holder])
  t.equal(tokens.callerOf(one.token), undefined)
  t.equal(tokens.callerOf(two.token)?.name, 'two')
  t.equal(tokens.callerOf(createToken()), undefined)
})

/** A hash that begins as that of a token does. */
function like(token: string): Buffer {
  return Buffer.concat([hashToken(token).subarray(0, 16), randomBytes(16)])
}
