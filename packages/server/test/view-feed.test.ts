import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Call,
  createId,
  encodeCall,
  encodeJournalEntry,
  type Happening,
  journalEntryOf,
  PosthasteError,
} from '@posthaste/core'
import type { FollowOptions, LogName, Stream } from '@posthaste/stream'
import t from 'tap'
import { createLogger, loadConfig, Server } from '../src/index.js'
import { HOUR_MS, Setting } from './view-feed-harness.js'

const MIB = 1024 * 1024

t.test('a view that was away for longer than the journal is kept forgets what may have ended', async (t) => {
  const setting = new Setting(t)
  const [old, missed, inLine, later, fresh] = [newCall(), newCall(), newCall(), newCall(), newCall()]
  const stateOf = (call: Call) => setting.view.get(call.id)?.state
  const before = await setting.startStream({ now: () => Date.now() - 2 * HOUR_MS })
  await before.append('journal', [
    recordOf(old, { state: 'succeeded' }),
    recordOf(missed, { state: 'running' }),
    recordOf(later, { state: 'scheduled', nextAttemptAtMs: Date.now() + HOUR_MS }),
  ])
  await before.append('calls', [{ key: inLine.id, value: encodeCall(inLine) }])
  const feed = setting.startFeed(before)
  await setting.until(() => stateOf(missed) === 'running' && stateOf(inLine) === 'queued')
  await feed.stop()
  await before.append('journal', [recordOf(missed, { state: 'succeeded' })])
  await before.stop()

  // It removes from its journal what is older than an hour.
  const after = await setting.startStream()
  await setting.until(async () => (await countIn(after, 'journal')) === 0)
  await after.append('journal', [recordOf(fresh, { state: 'succeeded' })])
  const again = setting.startFeed(after)
  await setting.until(() => again.isUpToDate())
  t.equal(setting.view.get(missed.id), undefined, 'nobody would ever learn how it ended')
  t.strictSame([old, fresh].map(stateOf), ['succeeded', 'succeeded'])
  t.strictSame([inLine, later].map(stateOf), ['queued', 'scheduled'], 'what still waits')
  t.strictSame(setting.view.counts().byState, { ...NONE, succeeded: 2, queued: 1, scheduled: 1 })
  t.match(again.warnings, [/away for longer than the journal is kept/])
  await again.stop()

  const last = setting.startFeed(after)
  await setting.until(() => last.isUpToDate())
  t.strictSame([last.warnings, stateOf(inLine)], [[], 'queued'], 'once')
})

t.test('a view that somebody else empties is filled again, also while nothing comes', async (t) => {
  const setting = new Setting(t)
  const stream = await setting.startStream()
  const call = newCall()
  await stream.append('calls', [{ key: call.id, value: encodeCall(call) }])
  const feed = setting.startFeed(stream)
  await setting.until(() => feed.isUpToDate())
  t.equal(setting.view.get(call.id)?.state, 'queued')
  await setting.view.clear()
  await setting.until(() => setting.view.get(call.id)?.state === 'queued')
  await setting.until(() => feed.isUpToDate())
})

t.test('what cannot be written now is written later, and not read again', async (t) => {
  const setting = new Setting(t)
  const stream = await setting.startStream()
  const call = newCall()
  await stream.append('calls', [{ key: call.id, value: encodeCall(call) }])
  setting.view.beforeApply = () => {
    if (setting.view.asked > 2) return
    throw new PosthasteError('stream-full', 'There is no room.')
  }
  const follows: LogName[] = []
  const follow = (log: LogName, from: string, options?: FollowOptions) => {
    follows.push(log)
    return stream.follow(log, from, options)
  }
  const feed = setting.startFeed({ follow })
  await setting.until(() => setting.view.get(call.id)?.state === 'queued')
  await setting.until(() => feed.isUpToDate())
  t.equal(setting.view.asked, 3)
  t.equal(follows.length, 4, 'each log is followed once')
  t.equal(feed.warnings.length, 1, 'it is told once')
})

t.test('no more is read than is to be written soon', async (t) => {
  const setting = new Setting(t)
  const inFlight: number[] = []
  let [read, written] = [0, 0]
  setting.view.beforeApply = async (changes) => {
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate)
    inFlight.push(read - written)
    written += changes.flatMap(({ records }) => records).length
  }
  async function* follow(log: LogName, _: string, { signal }: FollowOptions = {}) {
    for (let offset = 0; log === 'calls' && offset < 100 && !signal?.aborted; offset += 1) {
      const call = { ...newCall(), body: Buffer.alloc(MIB) }
      read += 1
      const record = { log, partition: 0, offset, key: call.id, value: encodeCall(call), appendedAtMs: Date.now() }
      yield { records: [record], position: String(offset + 1) }
    }
  }
  setting.startFeed({ follow })
  await setting.until(() => setting.view.counts().accepted === 100)
  // What is being written, what waits, and what is told in between.
  t.ok(Math.max(...inFlight) <= 11, `${Math.max(...inFlight)} MiB at the most`)
  t.ok(Math.max(...inFlight) > 4, 'and not one at a time')
})

t.test('a file that is none is told of, with the remedy', async (t) => {
  const { directory } = new Setting(t)
  writeFileSync(join(directory, 'view.lmdb'), 'this is no view'.repeat(1_000))
  const config = loadConfig({ environment: {}, flags: { port: '0', dataDir: directory, logLevel: 'silent' } })
  t.throws(() => new Server(config, 'all', createLogger(config)), {
    code: 'stream-unfit',
    message: /view\.lmdb is damaged.* Remove it/,
  })
})

const NONE = {
  ...{ scheduled: 0, queued: 0, running: 0, retrying: 0 },
  ...{ succeeded: 0, failed: 0, expired: 0, cancelled: 0 },
}

function newCall(): Call {
  const acceptedAtMs = Date.now()
  const target = 'https://a.example/b'
  return {
    ...{ id: createId(acceptedAtMs), generation: 1, attempt: 1, acceptedAtMs, depth: 0 },
    ...{ target, method: 'POST', headers: {}, body: Buffer.from('body') },
  }
}

function recordOf(call: Call, what: Pick<Happening, 'state' | 'nextAttemptAtMs'>) {
  return { key: call.id, value: encodeJournalEntry(journalEntryOf(call, { atMs: Date.now(), ...what }, undefined)) }
}

async function countIn(stream: Stream, log: LogName): Promise<number> {
  let count = 0
  for await (const { records } of stream.follow(log, 'start', { untilEnd: true })) count += records.length
  return count
}
