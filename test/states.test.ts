import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { InvocationState } from '@posthaste/core'
import t from 'tap'
import { temporaryDirectory } from './harness/temporary-directory.js'
import { EmbeddedWorld } from './model/embedded-world.js'
import type { Plan } from './model/plan.js'
import { type Act, Stage } from './model/stage.js'

// Each step of docs/states.md is made to happen, and shown so by the API. (That there is no other is a test of core's.)

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const HELD: Plan = { script: [['held']], maxAttempts: 3, retryDelayMs: HOUR_MS, delayMs: 0, maxAgeMs: 99 * HOUR_MS }

t.setTimeout(120_000)

t.test('each step of docs/states.md happens', async (t) => {
  const stage = new Stage(t, await EmbeddedWorld.start(temporaryDirectory(t)))
  t.teardown(() => stage.world.stop())
  const steps = stepsOn(stage)
  t.strictSame(Object.keys(steps).sort(), documented().sort(), 'these are all')
  const entries = Object.entries(steps)
  const [from, to, others] = [
    entries.filter(([name]) => name.startsWith('running ')),
    entries.filter(([name]) => name.endsWith(' running')),
    entries.filter(([name]) => !name.includes('running')),
  ]
  // What is to run for long does so all at once.
  const running = Promise.all(from.map(async ([name, [begin, act]]) => ({ name, act, id: await begin() })))
  for (const [name, [begin, act]] of to) await stage.see(name, await begin(), act)
  for (const { act, id, name } of await running) await stage.see(name, id, act)
  for (const [name, [begin, act]] of others) await stage.see(name, await begin(), act)
})

/** Named as in the table: how an invocation comes to where the step begins, and what then makes it go that step. */
function stepsOn(stage: Stage): Record<string, readonly [() => Promise<string>, Act]> {
  const { world } = stage
  const control = world.door(0)
  const accept = (plan: Partial<Plan>) => () => stage.accept({ ...HELD, ...plan })
  const reach = (state: InvocationState, plan: Partial<Plan>) => () => stage.reach(state, { ...HELD, ...plan })
  const cancel = (id: string) => control.cancel(id)
  const move = (id: string) => control.move(id, world.clock.now() + 2 * HOUR_MS)
  const pass = async () => world.pass(HOUR_MS)
  const answer = (status: number) => async (id: string) => world.target.release(id, 1, status)
  const redrive = (id: string) => control.redrive(id)
  const redriveAtRate = () => control.bulk('redrive', { filter: { correlationId: stage.lastCorrelationId }, rate: 1 })
  const queued = reach('queued', {})
  const queuedShortly = reach('queued', { expiresInMs: MINUTE_MS })
  const running = reach('running', {})
  const runningShortly = reach('running', { expiresInMs: MINUTE_MS })
  const scheduled = reach('scheduled', { delayMs: HOUR_MS })
  const retrying = reach('retrying', { script: [['503', 'held']] })
  const failed = reach('failed', { script: [['404'], ['held']] })
  const expired = reach('expired', { script: [['503'], ['held']], expiresInMs: MINUTE_MS })
  const nothing = async () => undefined
  const replaceListener = async () => {
    await world.stopListener()
    await world.startListener()
  }
  return {
    'accepted scheduled': [accept({ delayMs: HOUR_MS }), nothing],
    'accepted queued': [accept({}), nothing],
    'scheduled queued': [scheduled, pass],
    'scheduled scheduled': [scheduled, move],
    'scheduled cancelled': [scheduled, cancel],
    'queued running': [queued, nothing],
    'queued retrying': [queued, answer(503)],
    'queued succeeded': [queued, answer(200)],
    'queued failed': [queued, answer(404)],
    'queued expired': [queuedShortly, answer(503)],
    'queued cancelled': [queued, cancel],
    'running retrying': [running, answer(503)],
    'running succeeded': [running, answer(200)],
    'running failed': [running, answer(404)],
    'running expired': [runningShortly, answer(503)],
    'running cancelled': [running, cancel],
    // Whatever else runs is given up as well.
    'running queued': [running, replaceListener],
    'retrying queued': [retrying, pass],
    'retrying retrying': [retrying, move],
    'retrying cancelled': [retrying, cancel],
    'failed queued': [failed, redrive],
    'failed scheduled': [() => stage.elder(failed), redriveAtRate],
    'expired queued': [expired, redrive],
    'expired scheduled': [() => stage.elder(expired), redriveAtRate],
  }
}

function documented(): string[] {
  const table = readFileSync(fileURLToPath(new URL('../../docs/states.md', import.meta.url)), 'utf8').split('\n')
  const rows = table.filter((line) => line.startsWith('|')).slice(2)
  return rows.flatMap((row) => {
    const [, from = '', to = ''] = row.split('|').map((cell) => cell.trim().replaceAll('`', ''))
    return to === '' ? [] : to.split(', ').map((state) => `${from} ${state}`)
  })
}
