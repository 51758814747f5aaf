import type { StoredRecord } from '../record.js'
import type { Position, Stream } from '../stream.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import { readAll, record, Setting, textOf } from './setting.js'

export function controlContract(t: ContractTest, harness: StreamHarness): void {
  t.test('whoever follows control from the start is told the last record of each key', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const written = new Map([
      ['three', ['1', '2', '3']],
      ['one', ['1']],
      ['a.b c*>', ['1', '2']],
      ['żółć 🦊', ['', '1']],
      ['k'.repeat(200), ['1', '', '2']],
      ['gone', ['1', '']],
      ['never there', ['']],
    ])
    for (let round = 0; round < 3; round += 1) {
      const due = [...written].filter(([, texts]) => round < texts.length)
      await stream.append(
        'control',
        due.map(([key, texts]) => record(key, texts[round])),
      )
    }
    const check = async (when: string): Promise<void> => {
      const found = textsByKey(await setting.read('control'))
      for (const [key, texts] of written) {
        const told = found.get(key) ?? []
        t.ok(isPartOf(told, texts), `${when}: ${key}: ${told}: in the order of ${texts}`)
        t.equal(told.at(-1) ?? '', texts.at(-1), 'the last one, or nothing where that is empty')
      }
      t.strictSame(
        [...found.keys()].filter((key) => !written.has(key)),
        [],
      )
    }
    await check('at once')
    await setting.crash(stream)
    await check('after a crash')
  })

  t.test('whoever goes on following control from a position has the whole picture', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    for (let key = 0; key < 20; key += 1) await stream.append('control', [record(`key-${key}`, 'first')])
    const positions: { position: Position; picture: Map<string, string> }[] = []
    const picture = new Map<string, string>()
    for await (const { position, records } of stream.follow('control', 'start', { untilEnd: true })) {
      paint(picture, records)
      positions.push({ position, picture: new Map(picture) })
    }
    t.equal(picture.size, 20)
    for (let key = 0; key < 20; key += 2) await stream.append('control', [record(`key-${key}`, 'second')])
    for (let key = 0; key < 20; key += 3) await stream.append('control', [record(`key-${key}`, '')])
    const other = await setting.start()
    paint(picture, await readAll(other, 'control', positions.at(-1)?.position))
    t.equal(picture.size, 13, 'what is empty is gone')
    for (const each of positions) {
      const copy = JSON.parse(JSON.stringify(each.position)) as Position
      const told = each.picture.size
      paint(each.picture, await readAll(other, 'control', copy))
      t.strictSame(sorted(each.picture), sorted(picture), `after ${told}`)
    }
  })

  t.test('whoever follows control hears of what is empty, however soon that came', async (t) => {
    const setting = await Setting.make(t, harness)
    const streams = [await setting.start(), await setting.start()] as const
    const abort = new AbortController()
    const pictures = streams.map(() => new Map<string, string>())
    const following = streams.map((stream, index) =>
      followInto(pictures[index] as Map<string, string>, stream, abort.signal),
    )
    await streams[0].append('control', [record('first')])
    await setting.until('both follow', async () => pictures.every((picture) => picture.has('first')))
    const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`)
    for (const key of keys) {
      await streams[0].append('control', [record(key)])
      await streams[1].append('control', [record(key, '')])
    }
    await streams[0].append('control', [record('first', ''), record('last')])
    await setting.until('one key is left', async () => {
      return pictures.every((picture) => [...picture.keys()].join() === 'last')
    })
    abort.abort()
    await Promise.all(following)
    const found = new Map<string, string>()
    paint(found, await setting.read('control'))
    t.strictSame([...found.keys()], ['last'], 'whoever comes later finds the same')
  })

  t.test('everybody sees the same claim first', async (t) => {
    const setting = await Setting.make(t, harness)
    const streams = [await setting.start(), await setting.start()]
    const keys = Array.from({ length: 50 }, (_, index) => `key-${index}`)
    const abort = new AbortController()
    const live = streams.map(() => [] as StoredRecord[])
    const following = streams.map(async (stream, index) => {
      for await (const { records } of stream.follow('claims', 'start', { signal: abort.signal })) {
        live[index]?.push(...records)
      }
    })
    await Promise.all(
      keys.flatMap((key) => streams.map((stream, index) => stream.append('claims', [record(key, `by ${index}`)]))),
    )
    await setting.until('all were told', async () => live.every((told) => told.length === 2 * keys.length))
    abort.abort()
    await Promise.all(following)
    const first = firstByKey(await setting.read('claims'))
    t.equal(first.size, keys.length)
    for (const told of live) t.strictSame(sorted(firstByKey(told)), sorted(first))
  })
}

/** What stands under each key, to one who was told `records` too. */
function paint(picture: Map<string, string>, records: readonly StoredRecord[]): void {
  for (const each of records) {
    if (each.value.length === 0) picture.delete(each.key)
    else picture.set(each.key, textOf(each))
  }
}

async function followInto(picture: Map<string, string>, stream: Stream, signal: AbortSignal): Promise<void> {
  for await (const { records } of stream.follow('control', 'start', { signal })) paint(picture, records)
}

function textsByKey(records: readonly StoredRecord[]): Map<string, string[]> {
  const byKey = new Map<string, string[]>()
  for (const each of records) byKey.set(each.key, [...(byKey.get(each.key) ?? []), textOf(each)])
  return byKey
}

function firstByKey(records: readonly StoredRecord[]): Map<string, string> {
  const first = new Map<string, string>()
  for (const each of records) if (!first.has(each.key)) first.set(each.key, textOf(each))
  return first
}

function sorted(picture: ReadonlyMap<string, string>): string[] {
  return [...picture].map(([key, text]) => `${key} ${text}`).sort()
}

/** Whether `some` is what is left of `all` if a few are taken away. */
function isPartOf(some: readonly string[], all: readonly string[]): boolean {
  let at = 0
  for (const each of all) if (each === some[at]) at += 1
  return at === some.length
}
