import t from 'tap'
import { Beats } from '../src/beats.js'
import type { Marks } from '../src/watermarks.js'

const marksAt = (...highs: readonly number[]): Marks => new Map(highs.map((high, index) => [index, { low: 0, high }]))

/** Asks of a log whose end the test sets; `next` resolves with the next answer. */
class Asked {
  ends = marksAt(0)
  times = 0
  isAway = false
  readonly beats: Beats
  #answered = (): void => undefined

  constructor() {
    this.beats = new Beats(
      async () => {
        this.times += 1
        if (this.isAway) throw new Error('away')
        return this.ends
      },
      () => this.#answered(),
    )
  }

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#answered = resolve
    })
  }
}

t.test('a beat comes once everything was told that was there when it was asked', async (t) => {
  const asked = new Asked()
  const { beats } = asked
  t.teardown(() => beats.stop())
  asked.ends = marksAt(2, 1)
  t.equal(beats.take([2, 1]), undefined, 'not before it is asked')
  const startedMs = performance.now()
  const answer = asked.next()
  beats.start()
  await answer
  t.equal(beats.take([2, 0]), undefined)
  t.equal(beats.take([1, 1]), undefined)
  asked.ends = marksAt(9, 9)
  const asOfMs = beats.take([2, 1]) ?? 0
  t.ok(asOfMs >= startedMs && asOfMs <= performance.now(), 'whatever came since')
  t.equal(beats.take([2, 1]), undefined, 'once')
  await asked.next()
  t.equal(beats.take([8, 9]), undefined)
  t.ok((beats.take([9, 9]) ?? 0) > asOfMs)
})

t.test('while nobody answers there is no beat, and it is asked on', async (t) => {
  const asked = new Asked()
  t.teardown(() => asked.beats.stop())
  asked.isAway = true
  asked.beats.start()
  while (asked.times < 2) await new Promise(setImmediate)
  t.equal(asked.beats.take([0]), undefined)
  const backMs = performance.now()
  const answer = asked.next()
  asked.isAway = false
  await answer
  t.ok((asked.beats.take([0]) ?? 0) >= backMs, 'as of when it was asked again')
})
