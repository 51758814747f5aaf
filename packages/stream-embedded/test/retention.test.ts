import { rmSync } from 'node:fs'
import { systemClock } from '@posthaste/core'
import { Environment } from '@posthaste/storage'
import t, { type Test } from 'tap'
import { BatchLog } from '../src/batch-log.js'
import { EmbeddedStream } from '../src/embedded-stream.js'
import { applyRetention } from '../src/retention.js'
import { keepAll, makeDirectory, optionsFor } from './embedded-harness.js'

const HOUR_MS = 3_600_000
const BATCH_BYTES = 20_000

t.test('what is too old goes', async (t) => {
  const { environment, log } = open(t)
  for (let hours = 1_200; hours > 0; hours -= 1) await append(environment, log, Date.now() - hours * HOUR_MS, 10)
  await applyRetention(environment, systemClock, log, { ...keepAll, ageMs: 10.5 * HOUR_MS })
  t.equal(firstOffset(environment, log), 1_190)
  t.equal(log.end(), 1_200)
  await applyRetention(environment, systemClock, log, { ...keepAll, ageMs: HOUR_MS / 2 })
  t.equal(firstOffset(environment, log), undefined, 'all may go')
  await append(environment, log, Date.now(), 10)
  t.equal(firstOffset(environment, log), 1_200, 'offsets go on')
})

t.test('what is too much goes, oldest first, and no more than that', async (t) => {
  const { environment, log } = open(t)
  for (let count = 0; count < 200; count += 1) await append(environment, log, Date.now(), BATCH_BYTES)
  const bytes = 100 * BATCH_BYTES
  await applyRetention(environment, systemClock, log, { ...keepAll, bytes })
  const kept = 200 - (firstOffset(environment, log) ?? 200)
  t.ok(kept * BATCH_BYTES <= bytes, `${kept} batches are left, not more than may be`)
  t.ok(kept * BATCH_BYTES > bytes * 0.8, 'not much less either')
  await applyRetention(environment, systemClock, log, { ...keepAll, bytes })
  t.equal(200 - (firstOffset(environment, log) ?? 200), kept, 'what fits stays')
})

t.test('a stream applies the retentions of its journal and its claims, and to these alone', async (t) => {
  const { environment, log } = open(t)
  const [calls, claims] = [new BatchLog(environment, 'calls'), new BatchLog(environment, 'claims')]
  const old = Date.now() - 2 * HOUR_MS
  for (const hours of [5, 3, 1]) await append(environment, claims, Date.now() - hours * HOUR_MS, 10)
  await append(environment, log, old, 10)
  await append(environment, log, Date.now(), 10)
  await append(environment, calls, old, 10)
  const stream = new EmbeddedStream({
    ...optionsFor(environment),
    journalRetention: { ...keepAll, ageMs: HOUR_MS },
    claimRetentionMs: 4 * HOUR_MS,
  })
  await stream.start()
  while (firstOffset(environment, claims) !== 1) await new Promise(setImmediate)
  await stream.stop()
  t.equal(firstOffset(environment, log), 1)
  t.equal(firstOffset(environment, calls), 0)
})

function open(t: Test): { environment: Environment; log: BatchLog } {
  const directory = makeDirectory()
  const environment = new Environment({ directory, reserveBytes: 0 })
  t.teardown(async () => {
    await environment.close()
    rmSync(directory, { recursive: true })
  })
  return { environment, log: new BatchLog(environment, 'journal') }
}

async function append(environment: Environment, log: BatchLog, atMs: number, bytes: number): Promise<void> {
  await environment.commit(() => log.appendNow([{ key: 'a', value: Buffer.alloc(bytes) }], atMs))
}

function firstOffset(environment: Environment, log: BatchLog): number | undefined {
  environment.refresh()
  return log.read(0)?.base
}
