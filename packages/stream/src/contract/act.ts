import type { Consumer, Delivery, NewTimer } from '../consumer.js'
import type { NewRecord, Turn } from '../record.js'
import type { Stream } from '../stream.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import {
  about,
  BYTES_MAX,
  completeAll,
  endOf,
  GROUP,
  record,
  Setting,
  sortedTextsOf,
  textOf,
  textsOf,
  turnOf,
} from './setting.js'

const KEY = 'one-key'

export function actContract(t: ContractTest, harness: StreamHarness): void {
  t.test('what a member does for a turn that is not in hand is there once it resolves, crash or not', async (t) => {
    const setting = await Setting.make(t, harness)
    const { consumer, stream } = await owning(setting)
    const turn = newTurn()
    const dueMs = Date.now() + 2 * setting.promptMsMax
    const acted = await consumer.act(turn, {
      journal: [about(turn, 'acted')],
      notes: [about(turn, 'noted')],
      control: [record(KEY, 'asked')],
      children: [record(KEY, 'child')],
      timers: [{ ...record(KEY, 'timer'), dueMs }],
    })
    t.equal(acted, 'done')
    await setting.crash(stream)
    t.strictSame(sortedTextsOf(await setting.read('journal')), ['acted', 'ended', 'noted'])
    t.strictSame(textsOf(await setting.read('control')), ['asked'])
    const next = await (await setting.start()).consume(GROUP)
    const found = await setting.pull(next, 2)
    t.strictSame(sortedTextsOf(found), ['child', 'timer'])
    t.ok(Date.now() >= dueMs, 'the timer is not early')
    await completeAll(found)
    t.strictSame(await setting.pullExcess(next), [])
  })

  t.test('what a member does wakes its waiting pull', async (t) => {
    const setting = await Setting.make(t, harness)
    const { consumer } = await owning(setting)
    const turn = newTurn()
    for (const aheadMs of [setting.promptMsMax, 0]) {
      const pulling = setting.pull(consumer, 1)
      const dueMs = Date.now() + aheadMs
      t.equal(await consumer.act(turn, { timers: [{ ...about(turn, 'moved'), dueMs }] }), 'done')
      const actedMs = Date.now()
      const found = await pulling
      t.ok(Date.now() >= dueMs, 'not early')
      t.ok(Date.now() < Math.max(dueMs, actedMs) + setting.slowMsMax, 'and little late')
      t.strictSame(textsOf(found), ['moved'])
      await found[0]?.complete()
    }
  })

  for (const [which, isSooner] of [
    ['sooner', true],
    ['later', false],
  ] as const) {
    t.test(`a turn that waits can be moved to a time that is ${which}`, async (t) => {
      const setting = await Setting.make(t, harness)
      const turn = newTurn()
      const earlyMs = Date.now() + 2 * setting.promptMsMax
      const lateMs = earlyMs + setting.slowMsMax
      const waiting = { ...about(turn, 'old'), dueMs: isSooner ? lateMs : earlyMs }
      const { consumer } = await owning(setting, [waiting])
      const dueMs = isSooner ? earlyMs : lateMs
      t.equal(await consumer.act(turn, { timers: [{ ...about(turn, 'moved'), dueMs }] }), 'done')
      const moved = await pullMoved(setting, consumer)
      t.ok(Date.now() >= dueMs && Date.now() < dueMs + setting.slowMsMax, 'it comes at its new time')
      t.equal(await moved.complete({ journal: [endOf(moved)] }), 'done')
      // What waits for a later time than that of the move comes after the end.
      const begun = await beginRest(consumer, Math.max(0, lateMs - Date.now()) + 2 * setting.promptMsMax)
      t.strictSame(without(begun, 'ended', 'copy'), [])
      t.strictSame(textsOf(await setting.read('journal')), ['ended', 'ended'], 'of the cause, and of the turn')
    })
  }

  for (const where of ['on the timers', 'in line'] as const) {
    t.test(`a turn that was ended while it waited ${where} is not fresh any more`, async (t) => {
      const setting = await Setting.make(t, harness)
      const turn = newTurn()
      const waiting = { ...about(turn, 'old'), dueMs: Date.now() + 2 * setting.promptMsMax }
      const { consumer, stream } = await owning(setting, where === 'on the timers' ? [waiting] : [])
      if (where === 'in line') await stream.append('calls', [waiting])
      t.equal(await consumer.act(turn, { journal: [about(turn, 'acted')] }), 'done')
      const begun = await beginRest(consumer, 3 * setting.promptMsMax)
      t.strictSame(without(begun, 'acted', 'copy'), [])
      t.strictSame(textsOf(await setting.read('journal')), ['ended', 'acted'])
      t.strictSame(await setting.pullExcess(consumer), [])
    })
  }

  t.test('acting again for a turn that was ended so is no fault', async (t) => {
    const setting = await Setting.make(t, harness)
    const { consumer } = await owning(setting)
    const turn = newTurn()
    const act = async (): Promise<string> => {
      return toText(await consumer.act(turn, { journal: [about(turn, 'acted')], children: [record(KEY, 'child')] }))
    }
    const answers = [...(await Promise.all([act(), act()])), await act()]
    const done = answers.filter((answer) => answer === 'done').length
    t.equal(done, 1, 'one counts')
    t.equal(answers.filter((answer) => answer === 'acted').length, answers.length - done, `${answers}`)
    t.equal(textsOf(await setting.read('journal')).filter((text) => text === 'acted').length, 1)
    // Who is told how it ended writes nothing.
    await completeAll(await setting.pull(consumer, 1))
    t.strictSame(await setting.pullExcess(consumer), [])
  })

  t.test('of an act for a turn that is in hand, and its completion, one counts', async (t) => {
    const setting = await Setting.make(t, harness)
    const { consumer, stream } = await owning(setting)
    const turn = newTurn()
    await stream.append('calls', [about(turn, 'a')])
    const [delivery] = (await setting.pull(consumer, 1)) as [Delivery]
    const acted = await consumer.act(turn, { journal: [about(turn, 'acted')] })
    const completed = await delivery.complete({ journal: [about(turn, 'completed')] })
    const { owners } = stream.supports
    t.strictSame([acted, completed], owners ? ['elsewhere', 'done'] : ['done', 'lost'])
    t.strictSame(textsOf(await setting.read('journal')), ['ended', owners ? 'completed' : 'acted'])
  })

  t.test('who acts for a turn that a completion ended is told how', async (t) => {
    const setting = await Setting.make(t, harness)
    const { consumer, stream } = await owning(setting)
    const turn = newTurn()
    await stream.append('calls', [about(turn, 'a')])
    const [delivery] = (await setting.pull(consumer, 1)) as [Delivery]
    t.equal(await delivery.complete({ journal: [about(turn, 'completed')] }), 'done')
    const acted = toText(await consumer.act(turn, { journal: [about(turn, 'acted')], control: [record(KEY, 'asked')] }))
    t.equal(acted, 'completed')
    t.strictSame(textsOf(await setting.read('journal')), ['ended', 'completed'])
    t.strictSame(textsOf(await setting.read('control')), [])
  })

  t.test('who acts where nobody pulled yet is told so, or it is done', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    const turn = newTurn()
    const acted = toText(await consumer.act(turn, { journal: [about(turn, 'acted')] }))
    t.ok(acted === 'done' || (stream.supports.owners && acted === 'elsewhere'), acted)
    t.strictSame(textsOf(await setting.read('journal')), acted === 'done' ? ['acted'] : [])
  })
}

function newTurn(): Turn {
  return turnOf(record(KEY))
}

/** A member that owns the key: it has completed a record of it, which gave rise to `timers`. */
async function owning(
  setting: Setting,
  timers: readonly NewTimer[] = [],
): Promise<{ stream: Stream; consumer: Consumer }> {
  const stream = await setting.start()
  const consumer = await stream.consume(GROUP)
  await stream.append('calls', [record(KEY, 'cause')])
  const [cause] = (await setting.pull(consumer, 1)) as [Delivery]
  if ((await cause.complete({ timers, journal: [endOf(cause)] })) !== 'done') throw new Error('it was not completed')
  return { stream, consumer }
}

/** Drops what comes of the turn as it was, as a listener does that knows of the move. */
async function pullMoved(setting: Setting, consumer: Consumer): Promise<Delivery> {
  for (;;) {
    const [delivery] = (await setting.pull(consumer, 1)) as [Delivery]
    if (textOf(delivery.record) === 'moved') return delivery
    await delivery.complete()
  }
}

/** What is said of each delivery that still comes; they are completed with nothing. */
async function beginRest(consumer: Consumer, forMs: number): Promise<string[]> {
  const untilMs = performance.now() + forMs
  const begun: string[] = []
  for (;;) {
    const waitMs = Math.max(0, untilMs - performance.now())
    const pulled = await consumer.pull({ recordsMax: 10, bytesMax: BYTES_MAX, waitMs })
    for (const delivery of pulled) {
      begun.push(toText(await delivery.begin(turnOf(delivery.record))))
      await delivery.complete({ again: true })
    }
    if (pulled.length === 0 && waitMs === 0) return begun
  }
}

function without(texts: readonly string[], ...known: readonly string[]): string[] {
  return texts.filter((text) => !known.includes(text))
}

function toText(answer: string | NewRecord['value']): string {
  return Buffer.from(answer).toString()
}
