import { measureClockSkew } from '@posthaste/stream'
import { connect } from 'nats'
import t from 'tap'
import { serverTime } from '../src/server-time.js'
import { NO_SERVER, SERVER } from './nats-harness.js'
import { Streams } from './work.js'

// The server for tests runs on this machine: its clock is ours.

t.test('a clock that was set off is found to be off', { skip: NO_SERVER }, async (t) => {
  const streams = new Streams(t)
  const stream = await streams.start()
  const nats = await connect({ servers: SERVER })
  t.teardown(() => nats.close())
  const manager = await nats.jetstreamManager()
  for (const offMs of [2_000, 0, -2_000]) {
    const clock = { now: () => Date.now() + offMs }
    const skew = await measureClockSkew(clock, () => serverTime(manager, `${streams.prefix}-calls`))
    t.ok(Math.abs(skew.aheadMs - offMs) <= skew.uncertaintyMs, `${offMs}: ${JSON.stringify(skew)}`)
  }
  const skew = await stream.clockSkew()
  t.ok(Math.abs(skew.aheadMs) <= skew.uncertaintyMs, JSON.stringify(skew))
})
