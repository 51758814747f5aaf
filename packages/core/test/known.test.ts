import t from 'tap'
import { Known } from '../src/known.js'

t.test('it takes little memory, whatever it is asked', async (t) => {
  const known = new Known<number>()
  const long = 'x'.repeat(300)
  t.equal(known.set(long, 1), 1)
  t.equal(known.get(long), undefined)
  for (let index = 0; index < 5_000; index += 1) known.set(`${index}`, index)
  const left = Array.from({ length: 5_000 }, (_, index) => known.get(`${index}`)).filter((one) => one !== undefined)
  t.ok(left.length <= 1_000, `${left.length}`)
  t.equal(known.get('4999'), 4_999)
})
