import t from 'tap'
import { decodeTurn, encodeToken, encodeTurn } from '../src/turn-text.js'

const keys = [
  '',
  'a',
  '=',
  '=3D',
  '%',
  'a.b',
  'a b',
  '*',
  '>',
  'żółć 🦊',
  'line\r\nbreak',
  '019a9d4f-7f00-7000-8000-000000000000',
]

t.test('a turn becomes a text and a turn again', async (t) => {
  for (const key of keys) {
    const turn = { key, generation: 3, attempt: 12 }
    t.match(encodeTurn(turn), /^[A-Za-z0-9_=-]+\.3\.12$/)
    t.strictSame(decodeTurn(encodeTurn(turn)), turn)
  }
  t.equal(new Set(keys.map(encodeToken)).size, keys.length, 'no two keys share a text')
  t.equal(encodeTurn({ key: 'a' }), 'a.1.1')
})

t.test('other texts are no turns', async (t) => {
  for (const text of ['', 'a', 'a.1', 'a.0.1', 'a.1.01', 'a b.1.1', 'a.1.1.1', '=F.1.1', '=FF.1.1', '.1.1']) {
    t.equal(decodeTurn(text), undefined, text)
  }
})

t.test('a key that fits no subject is refused', async (t) => {
  t.throws(() => encodeToken('ż'.repeat(400)), { code: 'too-large' })
})
