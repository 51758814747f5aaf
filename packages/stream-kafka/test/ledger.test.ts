import t from 'tap'
import { NO_RECORD } from '../src/claimant.js'
import { Ledger } from '../src/ledger.js'
import type { Entry } from '../src/open-entries.js'

const US = 'us'
const turn = (key: string) => ({ key, generation: 1, attempt: 1 })
const at = (offset: number, watchdogOf?: number, isEarly = false) => ({
  at: offset,
  watched: watchdogOf === undefined ? undefined : { at: watchdogOf, isEarly },
})
const text = (key: string): string => `1.1 ${key}`
const none = (): boolean => false
const all = (): boolean => true

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

t.test('an entry whose effects may be missing is told to whoever begins its turn', async (t) => {
  const ledger = new Ledger(US, 10)
  ledger.found(entry(9, 'old', { at: 4 }), true)
  ledger.found(entry(10, 'a', { at: 5 }), true)
  t.equal(ledger.position, 10)
  t.equal(ledger.begin(turn('old'), at(4)), 'copy', 'below the position it has its effects')
  t.strictSame(
    ['old', 'a', 'b'].map((key) => ledger.isTaken(text(key))),
    [true, true, false],
  )
  const first = at(5)
  t.equal(String(ledger.begin(turn('a'), first)), 'end of a')
  t.equal(ledger.begin(turn('a'), at(7)), 'copy', 'to one')
  ledger.completed(first, text('a'), [], false)
  t.equal(ledger.position, 11)
  t.equal(ledger.begin(turn('a'), at(7)), 'copy')
})

t.test('what another recorded late of a record that was put off is told to what it was moved aside to', async (t) => {
  for (const isInherited of [false, true]) {
    const ledger = new Ledger(US, 0)
    ledger.found(entry(0, 'a', { at: 5 }), isInherited)
    ledger.expire(all, true)
    t.equal(ledger.position, 0, 'that its record is completed does not say that it has its effects')
    const back = at(20)
    t.equal(String(ledger.begin(turn('a'), back)), 'end of a')
    ledger.completed(back, text('a'), [], false)
    t.equal(ledger.position, 1)
    t.equal(ledger.begin(turn('a'), at(21)), 'copy', 'once')
  }
})

t.test('what another records while its turn is in work here is known before that is put off', async (t) => {
  const ledger = new Ledger(US, 0)
  const [ours, copy] = [at(5), at(6)]
  ledger.begin(turn('a'), ours)
  ledger.begin(turn('a'), copy)
  t.equal(ledger.isOvertaken(text('a'), ours), false)
  ledger.found(entry(0, 'a', { at: 5 }), false)
  t.equal(ledger.isOvertaken(text('a'), ours), true)
  t.equal(ledger.isOvertaken(text('a'), copy), false, 'a copy leaves it to the other')
  ledger.gaveUp(ours, text('a'))
  const again = at(5)
  t.equal(String(ledger.begin(turn('a'), again)), 'end of a')
  t.equal(ledger.isOvertaken(text('a'), again), false, 'who was told of it may end')

  const putOff = at(8)
  ledger.begin(turn('b'), putOff)
  ledger.gaveUp(putOff, text('b'))
  ledger.found(entry(1, 'b', { at: 8 }), false)
  ledger.completed(putOff, text('b'), [], false)
  t.equal(
    String(ledger.begin(turn('b'), at(30))),
    'end of b',
    'nor is it done with if it is found while that is written',
  )
})

t.test('entries that nobody comes for are let go', async (t) => {
  const ledger = new Ledger(US, 0)
  ledger.found(entry(0, 'a', { at: 5 }), false)
  ledger.found(entry(1, 'b', { at: 6 }), false)
  const nowMs = performance.now()
  ledger.expire((offset) => offset === 5, true, nowMs)
  ledger.expire((offset) => offset === 5, true, nowMs + 60_000)
  t.equal(ledger.position, 0, 'not before what was put off is back')
  ledger.expire((offset) => offset === 5, true, nowMs + 100_000)
  t.equal(ledger.position, 1, 'not while their record is to come')
  t.equal(ledger.begin(turn('a'), at(20)), 'fresh', 'rather called again than lost')
  t.equal(String(ledger.begin(turn('b'), at(6))), 'end of b')
})

t.test('only so many entries wait for their turn to come back', async (t) => {
  const ledger = new Ledger(US, 0)
  for (let index = 0; index < 1_500; index += 1) ledger.found(entry(index, `key-${index}`, { at: index }), true)
  ledger.expire(none, true)
  t.equal(ledger.position, 0, 'those whose record is to come are all kept')
  ledger.expire(all, true)
  t.equal(ledger.position, 500)
  t.equal(String(ledger.begin(turn('key-500'), at(2_000))), 'end of key-500')
})

t.test('the first entry of a turn counts', async (t) => {
  const ledger = new Ledger(US, 0)
  ledger.found(entry(0, 'a', { at: 5 }), true)
  ledger.found({ ...entry(1, 'a', { at: 5, writer: 'a third' }), value: Buffer.from('later') }, true)
  const first = at(5)
  t.equal(String(ledger.begin(turn('a'), first)), 'end of a')
  ledger.completed(first, text('a'), [], false)
  t.equal(ledger.position, 2)
})

t.test('an entry that does not say what it is about is told to the first of its turn', async (t) => {
  const ledger = new Ledger(US, 0)
  ledger.found(entry(0, 'a'), true)
  ledger.found(entry(1, 'b'), true)
  const first = at(5)
  t.equal(String(ledger.begin(turn('a'), first)), 'end of a')
  t.equal(ledger.begin(turn('a'), at(6)), 'copy')
  ledger.completed(first, text('a'), [], false)
  const nowMs = performance.now()
  ledger.expire(all, false, nowMs)
  ledger.expire(all, false, nowMs + 100_000)
  t.equal(ledger.position, 1, 'not before all is done that was there')
  ledger.expire(all, true, nowMs + 100_000)
  ledger.expire(all, true, nowMs + 200_000)
  t.equal(ledger.position, 2, 'b is nowhere')
})

t.test('what another recorded late takes the turn', async (t) => {
  const ledger = new Ledger(US, 0)
  const ours = at(5)
  ledger.begin(turn('a'), ours)
  ledger.found(entry(0, 'a', { at: 5 }), false)
  ledger.stored(1)
  t.equal(ledger.isTaken(text('a')), true)
  ledger.gaveUp(ours, text('a'))
  t.equal(String(ledger.begin(turn('a'), at(5))), 'end of a', 'whoever begins it anew writes what follows')
})

t.test('what this one wrote and does not know yet to be stored is neither done nor of another', async (t) => {
  const ledger = new Ledger(US, 0)
  const ours = at(5)
  ledger.begin(turn('a'), ours)
  ledger.found(entry(0, 'a', { at: 5, writer: US }), false)
  t.equal(ledger.position, 0, 'what follows from it is still to be written')
  ledger.found(entry(1, 'a', { at: 5 }), false)
  t.equal(ledger.isTaken(text('a')), false, 'it is the first of its turn')
  ledger.stored(2)
  t.equal(ledger.position, 0)
  ledger.completed(ours, text('a'), [2], false)
  t.equal(ledger.position, 3)
  ledger.found(entry(3, 'a', { at: 5, writer: US }), false)
  t.equal(ledger.position, 4, 'afterwards it is history')
})

t.test('what this one wrote after another is history', async (t) => {
  const ledger = new Ledger(US, 0)
  const ours = at(5)
  ledger.begin(turn('a'), ours)
  ledger.found(entry(0, 'a', { at: 5 }), false)
  ledger.found(entry(1, 'a', { at: 5, writer: US }), false)
  t.equal(ledger.isTaken(text('a')), true)
  ledger.gaveUp(ours, text('a'))
  ledger.passed([2], text('a'))
  const again = at(5)
  t.equal(String(ledger.begin(turn('a'), again)), 'end of a')
  ledger.completed(again, text('a'), [], false)
  t.equal(ledger.position, 3)
})

t.test('what a call that outlived its partition recorded may be the first of its turn', async (t) => {
  const ledger = new Ledger(US, 0)
  ledger.found(entry(0, 'a', { at: 5, isOut: true, writer: 'us before' }), false)
  ledger.passed([0], text('a'))
  t.equal(ledger.position, 0)
  t.equal(String(ledger.begin(turn('a'), at(20, 5, true))), 'end of a')
})

t.test('a call that was checked out is known by its watchdog', async (t) => {
  const ledger = new Ledger(US, 10)
  ledger.found(entry(8, 'a', { at: 3, isOut: true }), true)
  ledger.found(entry(10, 'b', { at: 4, isOut: true }), true)
  t.equal(ledger.hasEndedOut(3), true)
  t.equal(ledger.hasEndedOut(4), false, 'its effects may be missing')
  t.equal(ledger.marks, 8, 'the next owner must know of it')
  ledger.dropOut(3)
  t.equal(ledger.marks, 10)
  const watchdog = at(20, 4)
  t.equal(String(ledger.begin(turn('b'), watchdog)), 'end of b')
  ledger.completed(watchdog, text('b'), [], false)
  t.equal(ledger.position, 11)
  t.equal(ledger.hasEndedOut(4), false, 'no other is expected')
})

t.test('what an owner of before had checked out is told once', async (t) => {
  const ledger = new Ledger(US, 10)
  ledger.foundOut(9, 2, true)
  ledger.foundOut(10, 3, true)
  ledger.foundOut(11, 4, true)
  ledger.found(entry(12, 'b', { at: 4 }), true)
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
  const again = at(4)
  t.equal(String(ledger.begin(turn('b'), again)), 'end of b')
  ledger.completed(again, text('b'), [], false)
  t.equal(ledger.position, 14)
})

t.test('a watchdog that came early leaves the other one to be dropped', async (t) => {
  const ledger = new Ledger(US, 10)
  ledger.found(entry(10, 'a', { at: 3, isOut: true }), false)
  const watchdog = at(20, 3, true)
  t.equal(String(ledger.begin(turn('a'), watchdog)), 'end of a')
  ledger.completed(watchdog, text('a'), [], false)
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
  ledger.found(entry(12, 'c', { at: 5, isOut: true }), false)
  const back = at(23)
  t.equal(String(ledger.begin(turn('c'), back)), 'end of c', 'what it was moved aside to is told')
  ledger.completed(back, text('c'), [], false)
  t.equal(ledger.hasEndedOut(5), true)
})

t.test('of a call whose watchdog was dropped before no watchdog is expected', async (t) => {
  const ledger = new Ledger(US, 10, 9)
  ledger.found(entry(7, 'a', { at: 3, isOut: true }), true)
  t.equal(ledger.hasEndedOut(3), false)
  t.equal(ledger.marks, 10)
  t.equal(ledger.begin(turn('a'), at(20)), 'copy', 'but its turn is known')
})

t.test('an entry without a record in hand ends its turn, and is done with', async (t) => {
  const ledger = new Ledger(US, 10)
  ledger.foundActed(turn('old'), 9, 'another')
  ledger.foundActed(turn('a'), 10, 'another')
  t.equal(ledger.position, 11, 'it keeps no position, for its record may come in a year')
  t.strictSame(
    ['old', 'a', 'b'].map((key) => ledger.begin(turn(key), at(20))),
    ['copy', 'copy', 'fresh'],
  )
  t.equal(ledger.endOf(text('a')), 10, 'where it stands is known')
  ledger.found(entry(11, 'a', { at: 20 }), false)
  t.strictSame([ledger.position, ledger.endOf(text('a'))], [12, 10], 'what comes later is history')
  ledger.forget(text('a'))
  t.equal(ledger.begin(turn('a'), at(20)), 'fresh')
})

t.test('what is done for a turn takes it, and counts if it is the first', async (t) => {
  const ledger = new Ledger(US, 0)
  const act = { at: NO_RECORD, watched: undefined }
  t.equal(ledger.begin(turn('a'), act), 'fresh')
  t.equal(ledger.isWorking(text('a')), true)
  t.equal(ledger.begin(turn('a'), at(5)), 'copy', 'while it is being done')
  ledger.foundActed(turn('a'), 0, US)
  t.strictSame([ledger.position, ledger.isTaken(text('a'))], [0, false], 'read before it is known to be stored')
  ledger.foundActed(turn('a'), 1, 'another')
  t.equal(ledger.isTaken(text('a')), false, 'it was the first')
  ledger.stored(2)
  ledger.completed(act, text('a'), [2], false)
  t.strictSame([ledger.position, ledger.isWorking(text('a'))], [3, false])
  t.equal(ledger.begin(turn('a'), at(5)), 'copy')
  t.equal(ledger.marks, 3, 'no watchdog is expected')

  const late = { at: NO_RECORD, watched: undefined }
  ledger.begin(turn('b'), late)
  ledger.foundActed(turn('b'), 3, 'another')
  t.equal(ledger.isTaken(text('b')), true)
  ledger.passed([4])
  ledger.gaveUp(late, text('b'))
  t.strictSame([ledger.position, ledger.endOf(text('b'))], [5, 3])
})

t.test('how a turn ended is known by its first entry', async (t) => {
  const ledger = new Ledger(US, 0)
  t.equal(ledger.endOf(text('a')), undefined)
  ledger.found(entry(0, 'a', { at: 5 }), true)
  t.equal(String(ledger.endOf(text('a'))), 'end of a', 'which is at hand while its effects may be missing')
  const first = at(5)
  ledger.begin(turn('a'), first)
  ledger.completed(first, text('a'), [], false)
  t.equal(ledger.endOf(text('a')), 0)

  const ours = at(6)
  ledger.begin(turn('b'), ours)
  ledger.stored(1)
  ledger.completed(ours, text('b'), [1], false)
  t.equal(ledger.endOf(text('b')), 1)
})

t.test('notes are passed over', async (t) => {
  const ledger = new Ledger(US, 10)
  ledger.foundNote(9)
  ledger.foundNote(10)
  t.strictSame([ledger.position, ledger.end], [11, 11])
  t.equal(ledger.begin(turn('a'), at(5)), 'fresh')
})

t.test('only so many turns are remembered', async (t) => {
  const ledger = new Ledger(US, 6_000)
  for (let index = 0; index < 6_000; index += 1) ledger.found(entry(index, `key-${index}`, { at: 0 }), true)
  t.equal(ledger.begin(turn('key-5999'), at(1)), 'copy')
  t.equal(ledger.begin(turn('key-0'), at(2)), 'fresh')
})
