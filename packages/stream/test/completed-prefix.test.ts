import type { OffsetRange } from '@posthaste/core'
import fc from 'fast-check'
import t from 'tap'
import { CompletedPrefix } from '../src/completed-prefix.js'

/** Small, so that ranges touch, overlap and repeat. */
const OFFSETS = 40

/** The same, as a set of offsets. */
class Model {
  readonly #completed = new Set<number>()

  complete(from: number, to: number): void {
    for (let offset = from; offset < to; offset += 1) this.#completed.add(offset)
  }

  get committed(): number {
    let offset = 0
    while (this.#completed.has(offset)) offset += 1
    return offset
  }

  get beyond(): OffsetRange[] {
    const ranges: [number, number][] = []
    for (const offset of [...this.#completed].sort((a, b) => a - b)) {
      if (offset < this.committed) continue
      const last = ranges.at(-1)
      if (last?.[1] === offset) last[1] = offset + 1
      else ranges.push([offset, offset + 1])
    }
    return ranges
  }

  isCompleted(offset: number): boolean {
    return this.#completed.has(offset)
  }
}

type Step =
  | { readonly do: 'one'; readonly at: number }
  | { readonly do: 'range'; readonly range: OffsetRange }
  | { readonly do: 'restart' }

const offset = fc.nat(OFFSETS - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('one' as const), at: offset }),
  fc.record({ do: fc.constant('range' as const), range: fc.tuple(offset, offset) }),
  fc.record({ do: fc.constant('restart' as const) }),
)

t.test('it knows what a set of all completed offsets knows', async (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const model = new Model()
      let prefix = new CompletedPrefix(0)
      for (const each of steps) {
        prefix = take(each, prefix, model)
        check(prefix, model)
      }
    }),
    { numRuns: 2_000 },
  )
  t.pass('2,000 runs')
})

t.test('it starts from any checkpoint, be its ranges in order or not', async (t) => {
  fc.assert(
    fc.property(offset, fc.array(fc.tuple(offset, offset)), (committed, ranges) => {
      const model = new Model()
      model.complete(0, committed)
      for (const [from, to] of ranges) model.complete(from, to)
      check(new CompletedPrefix(committed, ranges), model)
    }),
    { numRuns: 2_000 },
  )
  t.pass('2,000 runs')
})

t.test('the checkpoint that it was made from does not change with it', async (t) => {
  const beyond: OffsetRange[] = [
    [5, 7],
    [9, 10],
  ]
  const prefix = new CompletedPrefix(3, beyond)
  prefix.complete(7)
  prefix.complete(3, 5)
  t.strictSame(beyond, [
    [5, 7],
    [9, 10],
  ])
  t.equal(prefix.committed, 8)
})

t.test('a wide window takes little time', async (t) => {
  const prefix = new CompletedPrefix(0)
  const count = 20_000
  const startedMs = performance.now()
  // A hole at the very beginning; then the even ones from behind; then the odd ones.
  for (let at = count; at >= 2; at -= 2) prefix.complete(at)
  t.equal(prefix.beyond.length, count / 2)
  for (let at = 1; at < count; at += 2) prefix.complete(at)
  t.strictSame(prefix.beyond, [[1, count + 1]])
  prefix.complete(0)
  t.equal(prefix.committed, count + 1)
  t.ok(performance.now() - startedMs < 5_000, 'no quadratic search')
})

function take(step: Step, prefix: CompletedPrefix, model: Model): CompletedPrefix {
  if (step.do === 'restart') return new CompletedPrefix(prefix.committed, JSON.parse(JSON.stringify(prefix.beyond)))
  const [from, to] = step.do === 'one' ? [step.at, step.at + 1] : step.range
  if (step.do === 'one') prefix.complete(from)
  else prefix.complete(from, to)
  model.complete(from, to)
  return prefix
}

function check(prefix: CompletedPrefix, model: Model): void {
  const found = { committed: prefix.committed, beyond: prefix.beyond }
  const wanted = { committed: model.committed, beyond: model.beyond }
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`)
  }
  for (let at = -1; at <= OFFSETS; at += 1) {
    if (at >= 0 && prefix.isCompleted(at) !== model.isCompleted(at)) throw new Error(`${at}: ${prefix.isCompleted(at)}`)
  }
}
