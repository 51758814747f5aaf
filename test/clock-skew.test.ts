import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { brokers, testOn } from './harness/backends.js'
import type { BrokerInstallation } from './harness/broker-installation.js'
import { Client } from './harness/client.js'
import { type LogLine, PosthasteProcess, type Role } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'

// A listener whose clock is off, and an accepter whose clock is not. The brokers for tests run on this machine.

const OFF_MS = 2_000
const DELAY_MS = 4_000
const SHOWN_MS_MAX = 15_000
const LOOK_MS = 20

interface Clock {
  readonly aheadMs: number
  readonly uncertaintyMs: number
}

t.setTimeout(120_000)

for (const backend of brokers) {
  testOn(t, backend, 'a clock that is off is measured, shown and warned of', 60_000, async (t, backend) => {
    const installation = backend.create(t)
    const target = await TargetServer.start()
    t.teardown(() => target.stop())
    const client = new Client()
    t.teardown(() => client.close())
    const accepter = await start(t, installation, 'accepter', 0)
    const listener = await start(t, installation, 'listener', OFF_MS)

    const [right, off] = await Promise.all([shown(client, accepter), shown(client, listener)])
    t.ok(Math.abs(right.aheadMs) <= right.uncertaintyMs, JSON.stringify(right))
    t.ok(Math.abs(off.aheadMs - OFF_MS) <= off.uncertaintyMs, JSON.stringify(off))

    const dueMs = Date.now() + DELAY_MS
    const notBefore = new Date(dueMs).toISOString()
    const id = await client.accept(accepter.url, { target: `${target.url}/deferred`, notBefore })
    await target.until(() => target.of(id).length > 0, DELAY_MS + SHOWN_MS_MAX)
    const earlyMs = dueMs - (target.of(id)[0]?.atMs ?? 0)
    t.ok(earlyMs <= off.aheadMs + off.uncertaintyMs, `a deferred call is early by ${earlyMs} ms, no more than that`)

    await listener.stop()
    await accepter.stop()
    const [warning, ...more] = told(listener)
    t.match(warning, { level: 'warn', ...off }, 'one warning tells what is shown')
    t.strictSame(more, [])
    t.strictSame(told(accepter), [], 'nothing is told of a clock in step')
  })
}

async function start(t: Test, { settings }: BrokerInstallation, role: Role, offMs: number): Promise<PosthasteProcess> {
  const setOff = `const { now } = Date; Date.now = () => now() + ${offMs}`
  const nodeArguments = ['--import', `data:text/javascript,${encodeURIComponent(setOff)}`]
  const posthaste = await PosthasteProcess.start({ role, settings, nodeArguments })
  t.teardown(() => posthaste.stop())
  return posthaste
}

/** What `/readyz` says of the clock, as soon as it does. */
async function shown(client: Client, { url }: PosthasteProcess): Promise<Clock> {
  const untilMs = performance.now() + SHOWN_MS_MAX
  while (performance.now() < untilMs) {
    const { json } = await client.request(`${url}/readyz`)
    const { clock } = json as { clock?: Clock }
    if (clock) return clock
    await sleep(LOOK_MS)
  }
  throw new Error('The clocks are not compared.')
}

function told({ lines }: PosthasteProcess): LogLine[] {
  return lines.filter(({ msg }) => typeof msg === 'string' && msg.startsWith('clock-skew'))
}
