import fc from 'fast-check'
import t from 'tap'
import { assign, type Candidate } from '../src/assignment.js'
import { assignorOf, memberDataOf, slotsApart, slotsTogether } from '../src/assignor.js'

const slots = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index))
const fresh = (id: string): Candidate => ({ id, owned: [], generation: -1 })

/** What a group goes through: members come and go, and each says what it owned. */
const histories = fc.record({
  count: fc.integer({ min: 0, max: 30 }),
  steps: fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 5 }), {
    minLength: 1,
    maxLength: 6,
  }),
})

t.test('every slot has one owner, nobody has two more than another, and no more move than must', async (t) => {
  fc.assert(
    fc.property(histories, ({ count, steps }) => {
      let before = new Map<string, string[]>()
      for (const [generation, ids] of steps.entries()) {
        const names = ids.map((id) => `member-${id}`)
        const members = names.map((id) => ({ id, owned: before.get(id) ?? [], generation: generation - 1 }))
        const after = assign(members, slots(count))
        const all = [...after.values()].flat()
        const sizes = names.map((id) => after.get(id)?.length ?? 0)
        if (all.length !== count || new Set(all).size !== count) return false
        if (Math.max(...sizes) - Math.min(...sizes) > 1) return false
        if (moved(before, after) !== mustMove(before, names, count)) return false
        before = after
      }
      return true
    }),
  )
  t.pass('for all histories')
})

t.test('of two that name the same, the later is right', async (t) => {
  const stale = { id: 'a', owned: slots(4), generation: 3 }
  const owner = { id: 'b', owned: ['2', '3'], generation: 5 }
  const assigned = assign([stale, owner], slots(4))
  t.strictSame(assigned.get('b')?.sort(), ['2', '3'])
  t.strictSame(assigned.get('a')?.sort(), ['0', '1'])
})

t.test('who has to give gives some of each topic', async (t) => {
  const apart = slotsApart(new Map(['short', '4', '8'].map((topic) => [topic, 4])))
  const assigned = assign([{ id: 'a', owned: apart.all, generation: 0 }, fresh('b')], apart.all)
  for (const [id, own] of assigned) {
    for (const topic of ['short', '4', '8']) {
      t.equal(own.filter((slot) => slot.startsWith(`${topic} `)).length, 2, `${id} has half of ${topic}`)
    }
  }
})

t.test('what belongs together goes to one member', async (t) => {
  const together = slotsTogether(['calls', 'journal'], 3)
  t.strictSame(together.partitionsOf('2'), [
    { topic: 'calls', partition: 2 },
    { topic: 'journal', partition: 2 },
  ])
})

t.test('a member says who it is when it joins', async (t) => {
  const data = { member: 'http://somewhere', owned: ['1'], generation: 7 }
  const assignor = assignorOf(slotsTogether(['calls'], 2), () => data)({} as never)
  t.strictSame(memberDataOf(assignor.protocol({ topics: ['calls'] }).metadata), data)
  t.equal(memberDataOf(Buffer.from('of another library')), undefined)
})

function moved(before: ReadonlyMap<string, string[]>, after: ReadonlyMap<string, string[]>): number {
  let count = 0
  for (const [id, own] of after) count += own.filter((slot) => !before.get(id)?.includes(slot)).length
  return count
}

/** What nobody owned that is still there, and what somebody has too much of. */
function mustMove(before: ReadonlyMap<string, string[]>, names: readonly string[], count: number): number {
  const fewest = Math.floor(count / names.length)
  let oneMore = count % names.length
  let kept = 0
  for (const own of names.map((id) => before.get(id)?.length ?? 0).sort((a, b) => b - a)) {
    const most = own > fewest && oneMore > 0 ? fewest + 1 : fewest
    if (most > fewest) oneMore -= 1
    kept += Math.min(own, most)
  }
  return count - kept
}
