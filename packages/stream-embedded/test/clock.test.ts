import type { Clock } from '@posthaste/core'
import type { Delivery, Progress } from '@posthaste/stream'
import t from 'tap'
import { openStream, pull, record } from './open-stream.js'

const HOUR_MS = 3_600_000
const LONG_MS = 60_000

class SetClock implements Clock {
  nowMs = 1_900_000_000_000

  now(): number {
    return this.nowMs
  }
}

t.test('a clock that is handed in tells when timers are due', async (t) => {
  const clock = new SetClock()
  const { consumer, stream } = await openStream(t, { clock })
  await stream.append('calls', [record('cause'), record('held')])
  const [cause, held] = (await pull(consumer, 2)) as [Delivery, Delivery]
  t.equal(cause.record.appendedAtMs, clock.now())
  const dueMs = clock.now() + HOUR_MS
  await cause.complete({ timers: [{ ...record('timer'), dueMs }], journal: [record('cause')] })
  clock.nowMs = dueMs - 1
  t.strictSame(await pull(consumer, 1, 50), [], 'not early')

  const pulling = pull(consumer, 1, LONG_MS)
  await new Promise(setImmediate)
  const jumpedMs = performance.now()
  clock.nowMs = dueMs
  const [timer] = (await pulling) as [Delivery]
  const tookMs = performance.now() - jumpedMs
  t.ok(tookMs < 5_000, `${tookMs} ms after the jump`)
  t.equal(timer.record.appendedAtMs, dueMs)

  clock.nowMs += 100 * HOUR_MS
  t.equal(held.held(), true, 'a lease has a clock of its own')
  t.match(await consumer.progress(), [{ owner: 'this', overdue: false }])
  t.equal(await held.complete({ timers: [{ ...record('timer'), dueMs: clock.now() + 1 }] }), 'done')
  clock.nowMs += 1
  const [{ overdue }] = (await consumer.progress()) as [Progress]
  t.equal(overdue, true)
})
