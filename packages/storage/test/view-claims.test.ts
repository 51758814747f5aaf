import { encodeCall, encodeClaim } from '@posthaste/core'
import t from 'tap'
import { answered, callOf, Feeder, MINUTE_MS, NOW_MS, onCalls, onJournal, openView, type Told } from './view-harness.js'

t.test('claims: the first one counts, until it is too old', async (t) => {
  const { view } = openView(t, { claimAgeMs: 10 * MINUTE_MS })
  const feeder = new Feeder(view)
  const claim = (id: string, appendedAtMs: number) => {
    const value = encodeClaim({ id, payload: 'p', record: encodeCall(callOf(id)) })
    return { key: 'key', value, appendedAtMs }
  }
  await feeder.apply({ claims: [{ key: 'bad', value: Buffer.from('{') }, claim('a', NOW_MS), claim('b', NOW_MS + 1)] })
  t.match(view.claim('key'), { id: 'a', payload: 'p', record: encodeCall(callOf('a')) })
  t.equal(view.claim('bad'), undefined)
  await feeder.apply({ claims: [claim('c', NOW_MS + 10 * MINUTE_MS - 1)] })
  t.equal(view.claim('key')?.id, 'a')
  await feeder.apply({ claims: [claim('d', NOW_MS + 10 * MINUTE_MS)] })
  t.equal(view.claim('key')?.id, 'd', 'whoever reads the log finds the same')
  t.equal(await view.applyRetention(NOW_MS + 12 * MINUTE_MS), 0)
  t.equal(view.claim('key')?.id, 'd')
  t.equal(await view.applyRetention(NOW_MS + 22 * MINUTE_MS), 1)
  t.equal(view.claim('key'), undefined)
})

t.test('a claim tells that its invocation was there, and is not kept any more', async (t) => {
  const { view } = openView(t, { ageMs: 10 * MINUTE_MS })
  const feeder = new Feeder(view)
  const claim = (key: string, id: string): Told => {
    return { key, value: encodeClaim({ id, payload: '', record: encodeCall(callOf(id)) }) }
  }
  await feeder.apply({
    claims: [claim('came', 'a'), claim('of a redrive', 'a'), claim('never came', 'b')],
    calls: [onCalls(callOf('a'))],
    journal: [onJournal(callOf('a'), { state: 'succeeded' }, answered(200))],
  })
  const forgotten = () => ['came', 'of a redrive', 'never came'].map((key) => view.claim(key)?.isForgotten)
  t.strictSame(forgotten(), [false, false, false])
  t.equal(await view.applyRetention(NOW_MS + 12 * MINUTE_MS), 1)
  t.equal(view.get('a'), undefined)
  t.strictSame(forgotten(), [true, false, false])
  await feeder.apply({ claims: [claim('came', 'c')] })
  t.match(view.claim('came'), { id: 'a', isForgotten: true }, 'it counts all the same')
})

t.test('what becomes of the invocation of a claim that was too old is of no matter to the next one', async (t) => {
  const { view } = openView(t, { ageMs: 10 * MINUTE_MS, claimAgeMs: 5 * MINUTE_MS })
  const feeder = new Feeder(view)
  const claim = (id: string, appendedAtMs: number): Told => {
    return { key: 'key', value: encodeClaim({ id, payload: '', record: encodeCall(callOf(id)) }), appendedAtMs }
  }
  await feeder.apply({ claims: [claim('a', NOW_MS)], journal: [onJournal(callOf('a'), { state: 'succeeded' })] })
  await feeder.apply({ claims: [claim('b', NOW_MS + 6 * MINUTE_MS)] })
  t.equal(await view.applyRetention(NOW_MS + 11 * MINUTE_MS), 1)
  t.equal(view.get('a'), undefined)
  t.match(view.claim('key'), { id: 'b', isForgotten: false })
})
