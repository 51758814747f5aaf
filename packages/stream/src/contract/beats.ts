import type { Followed, Stream } from '../stream.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import { record, Setting, textsOf, timed } from './setting.js'

/** At least so often. */
const BEAT_MS = 250
const LOGS = ['control', 'journal'] as const

export function beatsContract(t: ContractTest, harness: StreamHarness): void {
  for (const log of LOGS) {
    t.test(`with beats, whoever follows ${log} is told over and over that nothing more is there`, async (t) => {
      const setting = await Setting.make(t, harness)
      const stream = await setting.start()
      await stream.append(log, [record('a')])
      const startedMs = performance.now()
      const abort = new AbortController()
      const follower = stream.follow(log, 'start', { beats: true, signal: abort.signal })[Symbol.asyncIterator]()
      const first = (await follower.next()).value as Followed
      t.strictSame(textsOf(first.records), ['a'], 'what is there comes before')
      let [lastAsOfMs, lastHeardMs] = [startedMs, performance.now()]
      for (let count = 0; count < 8; count += 1) {
        const { asOfMs = 0, position, records } = (await follower.next()).value as Followed
        const heardMs = performance.now()
        t.strictSame([records.length, position], [0, first.position], 'nothing, and where that is')
        t.ok(asOfMs >= lastAsOfMs, `as of ${asOfMs}, after ${lastAsOfMs}`)
        t.ok(asOfMs <= heardMs && asOfMs > heardMs - setting.slowMsMax, `as of ${asOfMs}, heard at ${heardMs}`)
        t.ok(heardMs - lastHeardMs < BEAT_MS + setting.slowMsMax, `${heardMs - lastHeardMs} ms after the last`)
        lastAsOfMs = asOfMs
        lastHeardMs = heardMs
      }
      abort.abort()
      const [, tookMs] = await timed(drain(follower))
      t.ok(tookMs < setting.slowMsMax, `it ends ${tookMs} ms after the signal`)
    })

    t.test(`what was appended to ${log} before a beat was told before it`, async (t) => {
      const setting = await Setting.make(t, harness)
      const streams = [await setting.start(), await setting.start()] as const
      const abort = new AbortController()
      const appended: { text: string; atMs: number }[] = []
      const told = new Set<string>()
      const late: string[] = []
      let lastAsOfMs = -1
      const following = (async () => {
        for await (const { asOfMs, records } of streams[0].follow(log, 'start', {
          beats: true,
          signal: abort.signal,
        })) {
          for (const text of textsOf(records)) told.add(text)
          if (asOfMs === undefined) continue
          lastAsOfMs = asOfMs
          late.push(...appended.filter(({ atMs, text }) => atMs <= asOfMs && !told.has(text)).map(({ text }) => text))
        }
      })()
      for (let count = 0; count < 40; count += 1) {
        const text = `key-${count}`
        await (streams[count % 2] as Stream).append(log, [record(text)])
        const atMs = performance.now()
        appended.push({ text, atMs })
        // In between, beats come whenever they may.
        if (count % 4 === 3) await setting.until('a beat comes', async () => lastAsOfMs > atMs)
      }
      t.equal(told.size, appended.length)
      t.strictSame(late, [])
      abort.abort()
      await following
    })
  }

  t.test('without beats, whoever follows is told of records alone', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const plain = stream.follow('control', 'start')[Symbol.asyncIterator]()
    const next = plain.next() as Promise<{ value: Followed }>
    const beating = stream.follow('control', 'start', { beats: true })[Symbol.asyncIterator]()
    for (let count = 0; count < 5; count += 1) await beating.next()
    await stream.append('control', [record('a')])
    const { records, asOfMs } = (await next).value
    t.strictSame([textsOf(records), asOfMs], [['a'], undefined])
    await Promise.all([plain.return?.(), beating.return?.()])
  })
}

async function drain(follower: AsyncIterator<Followed>): Promise<void> {
  while (!(await follower.next()).done);
}
