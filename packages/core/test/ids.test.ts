import t from 'tap'
import { createId, deriveId, ID_PATTERN, idTimeMs } from '../src/index.js'
import { NOW_MS } from './arbitraries.js'

const UUID_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

t.test('ids are UUIDs of version 7 that hold their time', async (t) => {
  for (const ms of [0, 1, NOW_MS, 2 ** 48 - 1]) {
    for (const id of [createId(ms), deriveId(ms, 'a')]) {
      t.match(id, UUID_7)
      t.equal(idTimeMs(id), ms)
    }
  }
})

t.test('ids do not repeat, also beyond one filling of the pool', async (t) => {
  const ids = Array.from({ length: 5_000 }, () => createId(NOW_MS))
  t.equal(new Set(ids).size, ids.length)
  t.ok(ids.every((id) => UUID_7.test(id)))
  t.equal(new Set(ids.map((id) => id.charAt(19))).size, 4, 'both free bits beside the variant are random')
})

t.test('ids of later milliseconds sort behind', async (t) => {
  t.ok(createId(NOW_MS) < createId(NOW_MS + 1))
})

t.test('a derived id follows from its parts alone', async (t) => {
  t.equal(deriveId(NOW_MS, 'a', 1), deriveId(NOW_MS, 'a', 1))
  const others = [
    deriveId(NOW_MS + 1, 'a', 1),
    deriveId(NOW_MS, 'a', 2),
    deriveId(NOW_MS, 'a'),
    deriveId(NOW_MS, 'a', '1'),
  ]
  others.push(deriveId(NOW_MS, 'a', 1), deriveId(NOW_MS, 'ab', 'c'), deriveId(NOW_MS, 'a', 'bc'))
  t.equal(new Set(others).size, others.length)
})

t.test('times before 1970 make ids all the same', async (t) => {
  for (const ms of [-1, Date.parse('0001-01-01T00:00:00Z')]) t.match(deriveId(ms, 'a'), UUID_7)
})

t.test('only a UUID of version 7 has a time', async (t) => {
  const id = createId(NOW_MS)
  t.equal(idTimeMs(id.toUpperCase()), NOW_MS)
  for (const text of [
    '',
    'order-42',
    `${id}0`,
    `x${id}`,
    id.replace(/-7/, '-4'),
    '0190a5a0-0000-7000-c000-000000000000',
  ])
    t.equal(idTimeMs(text), undefined, text)
})

t.test('the pattern lets through what is safe in a path and a header', async (t) => {
  const pattern = new RegExp(ID_PATTERN)
  for (const text of [createId(NOW_MS), 'a', '0', 'order:42', 'a.b_c~d-e', 'a'.repeat(128)])
    t.ok(pattern.test(text), text)
  for (const text of ['', '.', '..', '-a', 'a/b', 'a b', 'a?b', 'a%b', 'ä', 'a\n', 'a'.repeat(129)])
    t.notOk(pattern.test(text), JSON.stringify(text))
})
