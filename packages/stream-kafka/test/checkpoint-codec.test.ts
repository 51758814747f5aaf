import fc from 'fast-check'
import t from 'tap'
import { decodeCheckpoint, encodeCheckpoint, METADATA_BYTES_MAX } from '../src/checkpoint-codec.js'

const offset = fc.integer({ min: 0, max: 2 ** 52 })
const checkpoint = fc
  .record({
    committed: offset,
    steps: fc.array(fc.tuple(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 5_000 })), {
      maxLength: 150,
    }),
    marks: offset,
    more: fc.integer({ min: 0, max: 1_000_000 }),
    isReleased: fc.boolean(),
  })
  .map(({ committed, isReleased, marks, more, steps }) => {
    let at = committed
    const beyond = steps.map(([gap, length]): [number, number] => {
      const from = at + gap
      at = from + length
      return [from, at]
    })
    return { committed, data: { beyond, journal: marks + more, marks, isReleased } }
  })

t.test('what is encoded comes back', async (t) => {
  fc.assert(
    fc.property(checkpoint, ({ committed, data }) => {
      const text = encodeCheckpoint(committed, data)
      t.strictSame(decodeCheckpoint(committed, text), data)
      return text !== undefined && text.length <= METADATA_BYTES_MAX
    }),
  )
})

t.test('what is too long is told, not cut', async (t) => {
  let seed = 1
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed
  }
  let at = 0
  const beyond = Array.from({ length: 3_000 }, (): [number, number] => {
    const from = at + 1 + (random() % 1_000)
    at = from + 1 + (random() % 1_000)
    return [from, at]
  })
  t.equal(encodeCheckpoint(0, { beyond, journal: 0, marks: 0, isReleased: false }), undefined)
})

t.test('a few hundred holes always fit', async (t) => {
  const beyond = Array.from({ length: 400 }, (_, index): [number, number] => [2 * index + 1, 2 * index + 2])
  t.ok(encodeCheckpoint(0, { beyond, journal: 1e9, marks: 0, isReleased: false }))
})

t.test('what others committed is not misread', async (t) => {
  for (const text of [
    '',
    null,
    undefined,
    'their own',
    '1',
    '1!!!!',
    `1${Buffer.from('nonsense').toString('base64')}`,
  ]) {
    t.equal(decodeCheckpoint(0, text), undefined, String(text))
  }
})
