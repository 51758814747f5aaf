import { rmSync } from 'node:fs'
import { systemClock } from '@posthaste/core'
import { Environment } from '@posthaste/storage'
import t, { type Test } from 'tap'
import { KeyedLog } from '../src/keyed-log.js'
import { dropEmpty } from '../src/retention.js'
import { makeDirectory } from './embedded-harness.js'

const HOUR_MS = 3_600_000
const KEYS = ['', 'a', 'a\0b', 'ż'.repeat(1_024)]

t.test('of each key the last record stands, and nothing else', async (t) => {
  const { append, log, texts } = open(t)
  for (const round of ['1', '2', '3']) await append(...KEYS.map((key) => [key, round] as const))
  await append(['b', 'old'], ['b', 'new'])
  t.strictSame(texts(), [...KEYS.map((key) => `${key}=3`), 'b=new'])
  t.equal(log.end(), 3 * KEYS.length + 2)
  t.equal(log.read(log.end()), undefined)
})

t.test('very many are read a portion at a time', async (t) => {
  const { append, log } = open(t)
  await append(...Array.from({ length: 1_000 }, (_, index) => [`key-${index}`, ''] as const))
  let offset = 0
  let portions = 0
  for (let batch = log.read(offset); batch; batch = log.read(offset)) {
    t.equal(batch.base, offset)
    t.equal(batch.end, offset + batch.records.length)
    offset = batch.end
    portions += 1
  }
  t.equal(offset, 1_000)
  t.ok(portions > 1 && portions < 10, `${portions} portions`)
})

t.test('an empty record goes when it is old, and what came after it stays', async (t) => {
  const { append, appendAt, environment, log, texts } = open(t)
  const old = Date.now() - 2 * HOUR_MS
  await append(['stays', '1'], ['gone', '1'], ['back', '1'], ['gone later', '1'])
  await appendAt(old, ['gone', ''], ['back', ''])
  await append(['back', '2'], ['gone later', ''])
  t.strictSame(texts(), ['stays=1', 'gone=', 'back=2', 'gone later='])
  await dropEmpty(environment, systemClock, log, HOUR_MS)
  t.strictSame(texts(), ['stays=1', 'back=2', 'gone later='])
  await append(['gone', '2'])
  await dropEmpty(environment, systemClock, log, -1)
  t.strictSame(texts(), ['stays=1', 'back=2', 'gone=2'])
})

t.test('what a key has by now is not dropped for what it had', async (t) => {
  const { append, environment, log, texts } = open(t)
  await append(['a', ''], ['b', ''])
  const found = log.emptyBefore(Date.now() + 1, 10)
  t.strictSame(found, [0, 1])
  await append(['a', '1'])
  await environment.commit(() => log.dropEmptyNow(found))
  t.strictSame(texts(), ['a=1'])
})

type Entry = readonly [key: string, text: string]

function open(t: Test) {
  const directory = makeDirectory()
  const environment = new Environment({ directory, reserveBytes: 0 })
  t.teardown(async () => {
    await environment.close()
    rmSync(directory, { recursive: true })
  })
  const log = new KeyedLog(environment, 'control')
  const appendAt = (atMs: number, ...entries: readonly Entry[]): Promise<number> => {
    const records = entries.map(([key, text]) => ({ key, value: Buffer.from(text) }))
    return environment.commit(() => log.appendNow(records, atMs))
  }
  return {
    environment,
    log,
    appendAt,
    append: (...entries: readonly Entry[]) => appendAt(Date.now(), ...entries),
    texts: (): string[] => {
      environment.refresh()
      return (log.read(0)?.records ?? []).map(({ key, value }) => `${key}=${Buffer.from(value)}`)
    },
  }
}
