import t from 'tap'
import { ENDS_MAX, RecentEnds } from '../src/recent-ends.js'

t.test('the first entry of a turn counts', async (t) => {
  const ends = new RecentEnds()
  for (const attempt of [1, 1, 2]) ends.add({ key: 'a', attempt })
  t.equal(ends.has({ key: 'a' }), true)
  t.equal(ends.offsetOf({ key: 'a' }), undefined, 'not written yet')
  ends.wrote(70, 2)
  t.equal(ends.offsetOf({ key: 'a' }), 70)
  t.equal(ends.offsetOf({ key: 'a', generation: 1, attempt: 1 }), 70, 'what is left out is 1')
  t.equal(ends.offsetOf({ key: 'a', attempt: 2 }), undefined)
  ends.wrote(90, 1)
  t.equal(ends.offsetOf({ key: 'a', attempt: 2 }), 90)
  t.equal(ends.has({ key: 'a', generation: 2 }), false)
  t.equal(ends.has({ key: 'b' }), false)
})

t.test('the newest are remembered, also if very many are written at one time', async (t) => {
  const ends = new RecentEnds()
  const count = 2 * ENDS_MAX + 7
  for (let key = 0; key < count; key += 1) ends.add({ key: `${key}` })
  ends.wrote(1_000, count - 1)
  t.equal(ends.has({ key: `${count - ENDS_MAX - 1}` }), false)
  for (const key of [count - ENDS_MAX, count - 2]) t.equal(ends.offsetOf({ key: `${key}` }), 1_000 + key)
  t.equal(ends.offsetOf({ key: `${count - 1}` }), undefined)
  ends.wrote(50_000, 1)
  t.equal(ends.offsetOf({ key: `${count - 1}` }), 50_000)
})
