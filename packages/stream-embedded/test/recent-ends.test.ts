import t from 'tap'
import { ENDS_MAX, RecentEnds, turnText } from '../src/recent-ends.js'

const first = { key: 'a', attempt: 1 }
const second = { key: 'a', attempt: 2 }

t.test('the first entry of a turn counts', async (t) => {
  const ends = new RecentEnds()
  for (const turn of [first, first, second]) ends.add(turn)
  t.equal(ends.has(turnText(first)), true)
  t.equal(ends.offsetOf(turnText(first)), undefined, 'not written yet')
  ends.wrote([first, first], 70)
  t.equal(ends.offsetOf(turnText(first)), 70)
  t.equal(ends.offsetOf(turnText({ key: 'a' })), 70, 'what is left out is 1')
  t.equal(ends.offsetOf(turnText(second)), undefined)
  ends.wrote([second, first], 90)
  t.equal(ends.offsetOf(turnText(second)), 90)
  t.equal(ends.offsetOf(turnText(first)), 70)
  t.equal(ends.has(turnText({ ...first, generation: 2 })), false)
  t.equal(ends.has(turnText({ key: 'b' })), false)
})

t.test('the newest are remembered, also if very many are written at one time', async (t) => {
  const ends = new RecentEnds()
  const turns = Array.from({ length: 3 * ENDS_MAX + 7 }, (_, index) => ({ key: `${index}` }))
  for (const turn of turns) ends.add(turn)
  ends.wrote(turns.slice(0, -1), 1_000)
  const offsets = turns.map((turn) => ends.offsetOf(turnText(turn)))
  const written = offsets.slice(-ENDS_MAX, -1)
  t.ok(written.every((offset, index) => offset === 1_000 + turns.length - ENDS_MAX + index))
  t.equal(offsets.at(-1), undefined)
  const remembered = turns.filter((turn) => ends.has(turnText(turn))).length
  t.ok(remembered >= ENDS_MAX && remembered <= 2 * ENDS_MAX, `${remembered} are remembered`)
  t.equal(offsets.slice(0, ENDS_MAX).filter((offset) => offset !== undefined).length, 0, 'the oldest are forgotten')
  ends.wrote(turns.slice(-1), 50_000)
  t.equal(ends.offsetOf(turnText(turns.at(-1) ?? first)), 50_000)
})
