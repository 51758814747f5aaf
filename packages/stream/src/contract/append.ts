import type { Delivery, NewTimer } from '../consumer.js'
import type { NewRecord, StoredRecord } from '../record.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import {
  about,
  completeAll,
  endOf,
  failure,
  GROUP,
  LOGS,
  readAll,
  record,
  Setting,
  textsOf,
  turnOf,
} from './setting.js'

const OTHERS = LOGS.filter((log) => log !== 'calls')
const CALLERS = 50
const APPENDS_EACH = 20
/** What clocks of machines may differ by. */
const SKEW_MS = 60_000

export function appendContract(t: ContractTest, harness: StreamHarness): void {
  t.test('what was appended is there after a crash', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    await stream.append('calls', [record('a'), record('b')])
    for (const log of OTHERS) await stream.append(log, [record(log)])
    await setting.crash(stream)
    t.strictSame(textsOf(await setting.read('calls')).sort(), ['a', 'b'])
    for (const log of OTHERS) t.strictSame(textsOf(await setting.read(log)), [log])
  })

  t.test('what stands in a log, or comes of a timer, tells its turn', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const turns = [
      { key: 'a', generation: 1, attempt: 1 },
      { key: 'b', generation: 3, attempt: 1 },
      { key: 'c', generation: 1, attempt: 100 },
    ]
    const records = turns.map((turn) => about(turn, turn.key))
    const isSo = (found: readonly StoredRecord[]): void => {
      const byKey = found.toSorted((one, other) => one.key.localeCompare(other.key))
      t.strictSame(byKey.map(turnOf), turns)
    }
    await stream.append('calls', records)
    const consumer = await stream.consume(GROUP)
    const deliveries = await setting.pull(consumer, turns.length)
    isSo(deliveries.map(({ record }) => record))
    const putOff = ({ record }: Delivery): NewTimer[] => [{ ...about(record, record.key), dueMs: Date.now() }]
    await Promise.all(deliveries.map((delivery) => delivery.complete({ timers: putOff(delivery) })))
    isSo((await setting.pull(consumer, turns.length)).map(({ record }) => record))
    await stream.append('journal', records)
    isSo(await setting.read('journal'))
  })

  t.test('many callers append at one time, and each keeps its order', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const wanted = Array.from({ length: APPENDS_EACH }, (_, index) => String(index))
    const appendInTurn = async (key: string): Promise<void> => {
      for (const text of wanted) await stream.append('calls', [record(key, text)])
    }
    const appendAtOnce = async (key: string): Promise<void> => {
      await Promise.all(wanted.map((text) => stream.append('calls', [record(key, text)])))
    }
    const appendTogether = (key: string): Promise<void> =>
      stream.append(
        'calls',
        wanted.map((text) => record(key, text)),
      )
    const ways = [appendInTurn, appendAtOnce, appendTogether]
    await Promise.all(Array.from({ length: CALLERS }, (_, caller) => ways[caller % ways.length]?.(`caller-${caller}`)))

    const byKey = new Map<string, StoredRecord[]>()
    for (const each of await setting.read('calls')) byKey.set(each.key, [...(byKey.get(each.key) ?? []), each])
    t.equal(byKey.size, CALLERS)
    const wrong = [...byKey].filter(([, records]) => textsOf(records).join() !== wanted.join())
    t.strictSame(wrong, [], 'every key has all of its records, once and in order')
    t.ok([...byKey.values()].every(isRising), 'offsets grow')
  })

  t.test('the largest record goes in, and one byte more is refused', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    const { recordBytesMax } = stream.supports
    const largest = patternOf(recordBytesMax)
    await stream.append('calls', [{ key: 'largest', value: largest }])
    const tooLarge = [record('small'), { key: 'too-large', value: patternOf(recordBytesMax + 1) }]
    await t.rejects(stream.append('calls', tooLarge), failure('too-large'))
    const [delivery] = await setting.pull(consumer, 1)
    t.ok(largest.equals(delivery?.record.value ?? Buffer.alloc(0)), 'it comes back as it was')
    t.strictSame(await setting.pullExcess(consumer), [], 'nothing of what was refused is there')
  })

  t.test('keys and values come back as they were, whichever way they take', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const consumer = await stream.consume(GROUP)
    const wanted: NewRecord[] = [
      { key: '', value: Buffer.from('no key') },
      { key: 'empty', value: Buffer.alloc(0) },
      { key: 'every-byte', value: Uint8Array.from({ length: 256 }, (_, byte) => byte) },
      { key: 'żółć 🦊', value: Buffer.from('ключ') },
      { key: 'k'.repeat(200), value: patternOf(100_000) },
    ]
    await stream.append('calls', wanted)
    const pulled = await setting.pull(consumer, wanted.length)
    t.strictSame(contentOf(await setting.read('calls')), contentOf(wanted), 'followed')
    t.strictSame(contentOf(pulled.map(({ record }) => record)), contentOf(wanted), 'pulled')

    const [first, ...others] = pulled as [Delivery, ...Delivery[]]
    const children = wanted.map((each) => ({ ...each, attempt: 2 }))
    const timers = wanted.map((each) => ({ ...each, attempt: 3, dueMs: Date.now() }))
    await first.complete({ children, timers, journal: [endOf(first)] })
    // Not of a turn that is to be worked on: it would have ended with that.
    await stream.append(
      'journal',
      wanted.map((each) => ({ ...each, attempt: 9 })),
    )
    const found = await setting.read('journal')
    t.strictSame(contentOf(found), contentOf([endOf(first), ...wanted]), 'in the journal')
    await completeAll(others)
    const sequels = await setting.pull(consumer, wanted.length * 2)
    t.strictSame(
      contentOf(sequels.map(({ record }) => record)),
      contentOf([...wanted, ...wanted]),
      'as children and timers',
    )
  })

  t.test('a record tells where and when it was stored', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    for (const log of LOGS) {
      await stream.append(log, [record('a')])
      const [found] = await readAll(stream, log)
      t.equal(found?.log, log)
      t.ok(Math.abs(Date.now() - (found?.appendedAtMs ?? 0)) < SKEW_MS, 'appendedAtMs is a time of day')
      const { partition = -1, offset = -1 } = found ?? {}
      t.ok(Number.isInteger(partition) && partition >= 0 && Number.isInteger(offset) && offset >= 0)
    }
  })

  t.test('appending nothing is no fault', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    for (const log of LOGS) {
      await stream.append(log, [])
      t.strictSame(await setting.read(log), [])
    }
  })
}

/** Bytes in which a shift or a hole would show. */
function patternOf(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let index = 0; index < length; index += 1) bytes[index] = (index * 31 + (index >>> 8) * 7) & 0xff
  return bytes
}

/** Sorted, because records of different keys have no order. */
function contentOf(records: readonly NewRecord[]): string[] {
  return records.map(({ key, value }) => `${key} ${Buffer.from(value).toString('base64')}`).sort()
}

function isRising(records: readonly StoredRecord[]): boolean {
  return records.every(({ offset }, index) => index === 0 || offset > (records[index - 1]?.offset ?? offset))
}
