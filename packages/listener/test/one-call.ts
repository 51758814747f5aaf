// Run by a test: makes one call, stops, and has to end by itself.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createId,
  DEFAULT_RETRY_POLICY,
  EgressPolicy,
  encodeCall,
  parseInstruction,
  systemClock,
} from '@posthaste/core'
import { Environment, LmdbCheckpointStore } from '@posthaste/storage'
import { EmbeddedStream } from '@posthaste/stream-embedded'
import { Listener } from '../src/index.js'

const log = { debug() {}, info() {}, warn() {}, error() {} }
const directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
const environment = new Environment({ directory, reserveBytes: 0 })
const stream = new EmbeddedStream({
  environment,
  checkpoints: new LmdbCheckpointStore(environment),
  journalRetention: { ageMs: 3_600_000, bytes: 2 ** 40 },
  log,
})
await stream.start()
const consumer = await stream.consume('listeners')
const listener = new Listener({
  consumer,
  control: stream,
  name: 'test',
  clock: systemClock,
  log,
  schedule: '* * * * * *',
  lingerMs: 60_000,
  batchRecords: 500,
  concurrency: 512,
  concurrencyPerTarget: 64,
  ratePerTarget: 0,
  burstPerTarget: 10,
  breakerFailures: 10,
  timeoutMs: 10_000,
  egress: new EgressPolicy({ allowAddresses: ['127.0.0.1'] }),
  retry: DEFAULT_RETRY_POLICY,
  responseBytesMax: 1_024,
  recordBytesMax: 1_024 * 1_024,
  logAttempts: 'failed',
})
await listener.start()
const nowMs = Date.now()
const content = parseInstruction({ target: process.argv[2] }, nowMs)
const call = {
  id: createId(nowMs),
  generation: 1,
  attempt: 1,
  acceptedAtMs: nowMs,
  depth: 0,
  method: 'POST',
  ...content,
}
await stream.append('calls', [{ key: call.id, value: encodeCall(call) }])
const { drained, succeeded } = await listener.ping('ping', 5_000)
await listener.stop(0)
await consumer.stop()
await stream.stop()
await environment.close()
rmSync(directory, { recursive: true })
if (!drained || succeeded !== 1) process.exitCode = 1
