import t from 'tap'
import { ResponseBody } from '../src/response-body.js'

t.test('what comes in pieces of any size is kept whole, up to the limit', async (t) => {
  const whole = Buffer.from(Array.from({ length: 20_000 }, (_, index) => index % 251))
  for (const size of [1, 7, 4_096, 5_000, 20_000]) {
    const body = new ResponseBody(whole.length)
    for (let at = 0; at < whole.length; at += size) body.add(whole.subarray(at, at + size))
    t.equal(body.bytes, whole.length)
    t.notOk(body.isTooLong)
    t.ok(body.kept.equals(whole), `pieces of ${size}`)
    body.add(Buffer.from('x'))
    t.ok(body.isTooLong)
    t.equal(body.bytes, whole.length + 1)
    t.equal(body.kept.length, 0)
  }
})

t.test('nothing is kept if nothing may be, or nothing came', async (t) => {
  const none = new ResponseBody(0)
  t.equal(none.kept.length, 0)
  t.notOk(none.isTooLong)
  none.add(Buffer.from('a'))
  t.ok(none.isTooLong)
  t.equal(none.kept.length, 0)
})
