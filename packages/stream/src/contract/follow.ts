import type { Position } from '../stream.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import { isGapBehind, LOGS, nextTexts, readAll, record, recordsOfOneKey, Setting, textsOf, timed } from './setting.js'

export function followContract(t: ContractTest, harness: StreamHarness): void {
  // Of what is kept by key, control.ts says what may be left out.
  for (const log of LOGS.filter((each) => each !== 'control')) {
    t.test(`following ${log} from the start, and from where another stopped`, async (t) => {
      const setting = await Setting.make(t, harness)
      const stream = await setting.start()
      t.strictSame(await readAll(stream, log), [], 'an empty log ends at once')
      for (let from = 0; from < 100; from += 20) await stream.append(log, recordsOfOneKey(20, `${from}-`))
      const wanted = textsOf(await readAll(stream, log))
      t.equal(wanted.length, 100)

      const positions: { position: Position; seen: number }[] = []
      let seen = 0
      for await (const { records, position } of stream.follow(log, 'start', { untilEnd: true })) {
        t.ok(records.length > 0)
        seen += records.length
        positions.push({ position, seen })
      }
      const other = await setting.start()
      for (const { position, seen } of positions) {
        const copy = JSON.parse(JSON.stringify(position)) as Position
        t.strictSame(textsOf(await readAll(other, log, copy)), wanted.slice(seen), `after ${seen}`)
        t.equal(await isGapBehind(other, log, copy), false, 'nothing is missed')
      }
      await stream.append(log, [record('one-key', 'more')])
      t.strictSame(textsOf(await readAll(other, log, positions.at(-1)?.position)), ['more'], 'after the end there was')
    })
  }

  for (const log of LOGS) {
    t.test(`what is appended to ${log} wakes whoever follows`, async (t) => {
      const setting = await Setting.make(t, harness)
      const stream = await setting.start()
      const other = await setting.start()
      await stream.append(log, [record('one-key', 'first')])
      const followers = [stream, other].map((each) => each.follow(log, 'start')[Symbol.asyncIterator]())
      t.strictSame(await Promise.all(followers.map(nextTexts)), [['first'], ['first']], 'everybody sees everything')
      for (const appender of [stream, other]) {
        const waiting = Promise.all(followers.map(nextTexts))
        await appender.append(log, [record('one-key', 'more')])
        const [found, tookMs] = await timed(waiting)
        t.strictSame(found, [['more'], ['more']])
        t.ok(tookMs < setting.slowMsMax, `${tookMs} ms after the append`)
      }
      await Promise.all(followers.map((follower) => follower.return?.()))
    })

    t.test(`following ${log} until the end goes no further`, async (t) => {
      const setting = await Setting.make(t, harness)
      const stream = await setting.start()
      await stream.append(log, [record('one-key', 'first')])
      const found: string[] = []
      for await (const { records } of stream.follow(log, 'start', { untilEnd: true })) {
        found.push(...textsOf(records))
        await stream.append(log, [record('one-key', 'later')])
      }
      t.strictSame(found, ['first'])
    })
  }

  t.test('a signal ends following', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const abort = new AbortController()
    const following = readAll(stream, 'journal', 'start', { signal: abort.signal })
    await new Promise(setImmediate)
    abort.abort()
    const [found, tookMs] = await timed(following)
    t.strictSame(found, [])
    t.ok(tookMs < setting.slowMsMax, `${tookMs} ms after the signal`)
    t.strictSame(await readAll(stream, 'journal', 'start', { signal: abort.signal }), [], 'also if it came before')
  })

  t.test('who stops following in the middle leaves nothing behind', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    await stream.append('journal', recordsOfOneKey(10))
    let position: Position = ''
    for await (const followed of stream.follow('journal', 'start')) {
      position = followed.position
      break
    }
    t.ok(position)
    await stream.stop()
    t.strictSame(await readAll(await setting.start(), 'journal', position), [])
  })
}
