import t from 'tap'
import { type Entry, Ledger } from '../src/ledger.js'

const US = 'us'
const turn = (key: string) => ({ key, generation: 1, attempt: 1 })
const at = (offset: number, watchdogOf?: number, isEarly = false) => ({
  at: offset,
  watched: watchdogOf === undefined ? undefined : { at: watchdogOf, isEarly },
})
const text = (key: string): string => `1.1 ${key}`
const none = (): boolean => false

function entry(offset: number, key: string, about?: Partial<NonNullable<Entry['about']>>): Entry {
  const full = about && { at: 0, writer: 'another', isOut: false, ...about }
  return { offset, turn: turn(key), value: Buffer.from(`end of ${key}`), about: full }
}

t.test('a turn is begun once', async (t) => {
  const ledger = new Ledger(US, 0)
  const first = at(1)
  t.equal(ledger.begin(turn('a'), first), 'fresh')
  t.equal(ledger.begin(turn('a'), first), 'fresh', 'by the same, again')
  t.equal(ledger.begin(turn('a'), at(2)), 'copy', 'while it is in work')
  ledger.stored(0)
  t.equal(ledger.position, 0, 'its effects are to be written')
  ledger.completed(first, text('a'), [0], false)
  t.equal(ledger.position, 1)
  t.equal(ledger.begin(turn('a'), at(3)), 'copy', 'after it ended')
})

t.test('a turn that is put off is begun anew', async (t) => {
  const ledger = new Ledger(US, 0)
  const first = at(1)
  ledger.begin(turn('a'), first)
  ledger.completed(first, text('a'), [], false)
  t.equal(ledger.begin(turn('a'), at(2)), 'fresh')
})

t.test('an entry whose effects may be missing is told to the record it is about', async (t) => {
  const ledger = new Ledger(US, 10)
  ledger.found(entry(9, 'old', { at: 4 }), true, none)
  ledger.found(entry(10, 'a', { at: 5 }), true, none)
  ledger.found(entry(11, 'b', { at: 3 }), true, (offset) => offset === 3)
  t.equal(ledger.position, 10)
  t.equal(ledger.begin(turn('old'), at(4)), 'copy', 'below the position it has its effects')
  t.equal(ledger.begin(turn('b'), at(3)), 'copy', 'its record is completed: so are its effects')
  t.equal(ledger.begin(turn('a'), at(7)), 'copy', 'not to a copy')
  t.strictSame(
    [5, 7].map((offset) => ledger.isOpen(turn('a'), at(offset))),
    [true, false],
  )
  t.equal(String(ledger.begin(turn('a'), at(5))), 'end of a')
  ledger.completed(at(5), text('a'), [], false)
  t.equal(ledger.position, 12)
})

t.test('the first entry of a turn counts', async (t) => {
  const ledger = new Ledger(US, 0)
  ledger.found(entry(0, 'a', { at: 5 }), true, none)
  ledger.found({ ...entry(1, 'a', { at: 5, writer: 'a third' }), value: Buffer.from('later') }, true, none)
  t.equal(String(ledger.begin(turn('a'), at(5))), 'end of a')
  ledger.completed(at(5), text('a'), [], false)
  t.equal(ledger.position, 2)
})

t.test('an entry that does not say what it is about is told to the first of its turn', async (t) => {
  const ledger = new Ledger(US, 0)
  ledger.found(entry(0, 'a'), true, none)
  ledger.found(entry(1, 'b'), true, none)
  t.equal(String(ledger.begin(turn('a'), at(5))), 'end of a')
  t.equal(ledger.begin(turn('a'), at(6)), 'copy')
  ledger.completed(at(5), text('a'), [], false)
  t.equal(ledger.position, 1)
  ledger.forgetUnclaimed()
  t.equal(ledger.position, 2, 'b is nowhere')
})

t.test('what another recorded late takes the turn', async (t) => {
  const ledger = new Ledger(US, 0)
  const ours = at(5)
  ledger.begin(turn('a'), ours)
  ledger.found(entry(0, 'a', { at: 5 }), false, none)
  ledger.stored(1)
  t.equal(ledger.isTaken(text('a')), true)
  ledger.gaveUp(ours, text('a'))
  t.equal(String(ledger.begin(turn('a'), at(5))), 'end of a', 'whoever begins it anew writes what follows')
})

t.test('what this one wrote twice is no other', async (t) => {
  const ledger = new Ledger(US, 0)
  ledger.begin(turn('a'), at(5))
  ledger.found(entry(0, 'a', { at: 5, writer: US }), false, none)
  t.equal(ledger.isTaken(text('a')), false)
})

t.test('a call that was checked out is known by its watchdog', async (t) => {
  const ledger = new Ledger(US, 10)
  ledger.found(entry(8, 'a', { at: 3, isOut: true }), true, () => true)
  ledger.found(entry(10, 'b', { at: 4, isOut: true }), true, () => true)
  t.equal(ledger.hasEndedOut(3), true)
  t.equal(ledger.hasEndedOut(4), false, 'its effects may be missing')
  t.strictSame(
    [3, 4].map((offset) => ledger.isOpen(turn('b'), at(20, offset))),
    [false, true],
  )
  t.equal(ledger.marks, 8, 'the next owner must know of it')
  ledger.dropOut(3)
  t.equal(ledger.marks, 10)
  t.equal(String(ledger.begin(turn('b'), at(20, 4))), 'end of b')
  ledger.completed(at(20, 4), text('b'), [], false)
  t.equal(ledger.position, 11)
})

t.test('what an owner of before had checked out is told once', async (t) => {
  const ledger = new Ledger(US, 10)
  ledger.foundOut(9, 2, true)
  ledger.foundOut(10, 3, true)
  ledger.foundOut(11, 4, true)
  ledger.found(entry(12, 'b', { at: 4 }), true, none)
  t.equal(ledger.position, 10, 'the next owner must know of it until it is')
  t.strictSame(
    ledger.takeInheritedOut(),
    [3],
    'unless the checkpoint says it, or the record was delivered again and ended',
  )
  t.equal(ledger.position, 12)
  t.strictSame(ledger.takeInheritedOut(), [])
  ledger.foundOut(13, 5, false)
  t.strictSame(ledger.takeInheritedOut(), [], 'not what comes too late')
  t.equal(String(ledger.begin(turn('b'), at(4))), 'end of b')
  ledger.completed(at(4), text('b'), [], false)
  t.equal(ledger.position, 14)
})

t.test('a watchdog that came early leaves the other one to be dropped', async (t) => {
  const ledger = new Ledger(US, 10)
  ledger.found(entry(10, 'a', { at: 3, isOut: true }), false, none)
  t.equal(String(ledger.begin(turn('a'), at(20, 3, true))), 'end of a')
  ledger.completed(at(20, 3, true), text('a'), [], false)
  t.equal(ledger.hasEndedOut(3), true)
  t.equal(ledger.marks, 10, 'the next owner must know of it')
  ledger.dropOut(3)
  t.equal(ledger.marks, 11)

  const made = at(21, 4, true)
  t.equal(ledger.begin(turn('b'), made), 'fresh', 'it is made again if nothing says how it ended')
  ledger.stored(11)
  ledger.completed(made, text('b'), [11], false)
  t.equal(ledger.hasEndedOut(4), true)
  const putOff = at(22, 5, true)
  t.equal(ledger.begin(turn('c'), putOff), 'fresh')
  ledger.completed(putOff, text('c'), [], false)
  t.equal(ledger.hasEndedOut(5), false, 'not if it is put off')
})

t.test('of a call whose watchdog was dropped before no watchdog is expected', async (t) => {
  const ledger = new Ledger(US, 10, 9)
  ledger.found(entry(7, 'a', { at: 3, isOut: true }), true, () => true)
  t.equal(ledger.hasEndedOut(3), false)
  t.equal(ledger.marks, 10)
  t.equal(ledger.begin(turn('a'), at(20)), 'copy', 'but its turn is known')
})

t.test('only so many turns are remembered', async (t) => {
  const ledger = new Ledger(US, 0)
  for (let index = 0; index < 6_000; index += 1) ledger.found(entry(index, `key-${index}`, { at: 0 }), true, () => true)
  t.equal(ledger.begin(turn('key-5999'), at(1)), 'copy')
  t.equal(ledger.begin(turn('key-0'), at(2)), 'fresh')
})
