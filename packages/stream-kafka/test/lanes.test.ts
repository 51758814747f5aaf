import fc from 'fast-check'
import t from 'tap'
import { DueHeap } from '../src/due-heap.js'
import { decideLane, lanesOf, moveAtMs } from '../src/lanes.js'

const DAY_MS = 86_400_000
const lanes = lanesOf(23)

t.test('lanes reach from seconds to a year', async (t) => {
  t.strictSame(
    lanes.slice(0, 4).map(({ name }) => name),
    ['short', '4', '8', '16'],
  )
  t.equal(lanes.at(-1)?.name, String(2 ** 24))
  t.equal(decideLane(lanes, 366 * DAY_MS), lanes.at(-1))
  t.ok(2 * (lanes.at(-1)?.lengthMs ?? 0) > 366 * DAY_MS, 'nothing goes round twice in the last one')
})

t.test('a timer goes to the longest lane that fits', async (t) => {
  const named = (leftMs: number): string => decideLane(lanes, leftMs).name
  t.strictSame([-5, 0, 3_999, 4_000, 7_999, 8_000].map(named), ['short', 'short', 'short', '4', '4', '8'])
  fc.assert(
    fc.property(fc.integer({ min: 4_000, max: 366 * DAY_MS }), (leftMs) => {
      const { lengthMs } = decideLane(lanes, leftMs)
      return lengthMs <= leftMs && leftMs < 2 * lengthMs
    }),
  )
})

t.test('the head of a lane holds back nothing that is due', async () => {
  const put = fc.record({ putMs: fc.integer({ min: 0, max: 1e9 }), leftMs: fc.integer({ min: 4_000, max: 1e9 }) })
  fc.assert(
    fc.property(put, put, (one, other) => {
      const [head, behind] = one.putMs <= other.putMs ? [one, other] : [other, one]
      const lane = decideLane(lanes, head.leftMs)
      if (decideLane(lanes, behind.leftMs) !== lane) return true
      const goesOnMs = moveAtMs(lane, head.putMs)
      return goesOnMs < behind.putMs + behind.leftMs && goesOnMs < head.putMs + head.leftMs
    }),
  )
})

t.test('whatever waits comes to the short lane before it is due, in few moves', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 0, max: 30 * DAY_MS }), (count, leftMs) => {
      const some = lanesOf(count)
      let nowMs = 0
      let moves = 0
      for (let lane = decideLane(some, leftMs); lane.lengthMs > 0; lane = decideLane(some, leftMs - nowMs)) {
        nowMs = moveAtMs(lane, nowMs)
        moves += 1
        if (nowMs > leftMs) return false
      }
      return leftMs - nowMs <= 4_000 && (count < 23 || moves <= 24)
    }),
    { numRuns: 50 },
  )
})

t.test('a wait costs so many appends at the most: those of its lanes, and that to calls', async (t) => {
  const appendsOf = (waitMs: number): number => {
    let lane = decideLane(lanes, waitMs)
    let appends = 2
    for (let nowMs = 0; lane.lengthMs > 0; appends += 1) {
      nowMs = moveAtMs(lane, nowMs)
      lane = decideLane(lanes, waitMs - nowMs)
    }
    return appends
  }
  fc.assert(
    fc.property(fc.integer({ min: 4_000, max: DAY_MS }), (waitMs) => {
      return appendsOf(waitMs) <= Math.floor(Math.log2(waitMs / 4_000)) + 4
    }),
    { numRuns: 10_000 },
  )
  // Of a target that is dead for an hour: each park is half of the outage so far, and up to a fifth longer. In seconds.
  const most = new Map<number, number>()
  for (let age = 3_600; age >= 2; age -= 1) {
    const from = Math.max(30, Math.floor(age / 2))
    for (let park = from; park <= Math.ceil(from * 1.2); park += 1) {
      const all = Math.max(appendsOf(park * 1_000), appendsOf(park * 1_000 + 900)) + (most.get(age + park) ?? 0)
      most.set(age, Math.max(all, most.get(age) ?? 0))
    }
  }
  t.ok((most.get(2) as number) <= 100, `${most.get(2)} appends for all parks of one record`)
})

t.test('a heap gives the first one first', async () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 })), (times) => {
      const heap = new DueHeap<{ dueMs: number }>()
      for (const dueMs of times) heap.push({ dueMs })
      const popped = times.map(() => heap.pop()?.dueMs ?? -1)
      return heap.pop() === undefined && popped.join() === [...times].sort((a, b) => a - b).join()
    }),
  )
})
