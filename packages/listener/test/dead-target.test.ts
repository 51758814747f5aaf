import type { Clock } from '@posthaste/core'
import t from 'tap'
import {
  type Answer,
  createStorage,
  finalStates,
  silent,
  startListener,
  startTarget,
  submit,
  until,
} from './setting.js'

/** Real time, and more of it once a test says so. */
class AdvancedClock implements Clock {
  #aheadMs = 0

  now(): number {
    return Date.now() + this.#aheadMs
  }

  pass(ms: number): void {
    this.#aheadMs += ms
  }
}

const QUICK = { maxAttempts: 100, initialDelay: '100ms', factor: 1, jitter: 'none' } as const

t.test('a target that is dead is probed and not called, until it is there again', async (t) => {
  let status = 503
  const target = await startTarget(t, (_, response) => response.writeHead(status).end())
  const other = await startTarget(t)
  const clock = new AdvancedClock()
  const said: object[] = []
  const log = { ...silent, warn: (what: object) => said.push(what), info: (what: object) => said.push(what) }
  const { listener, stream } = await startListener(t, { clock, log, logAttempts: 'failed' }, createStorage(t, clock))
  const instruction = { target: target.url, retry: QUICK }
  let submitted = 450
  await submit(stream, Array(50).fill(instruction))
  await listener.ping('ping', 0)
  const startedMs = performance.now()
  await until(async () => (await listener.report()).breakers.length > 0)
  t.ok(performance.now() - startedMs >= 1_900, 'after two seconds of failures')
  await until(async () => (await listener.report()).parked >= 50)
  const { breakers } = await listener.report()
  t.match(breakers, [{ target: target.url, state: 'open' }])
  t.ok(Math.abs(Date.parse(breakers[0]?.since ?? '') - (target.seen[0]?.atMs ?? 0)) < 5_000, 'since the first failure')
  t.match(
    said.filter((what) => 'outageMs' in what),
    [{ target: target.url }],
    'it is said',
  )

  const calledBefore = target.seen.length
  await submit(stream, Array(200).fill(instruction))
  await submit(stream, Array(200).fill({ target: other.url }))
  await until(() => other.seen.length === 200)
  await until(async () => (await listener.report()).parked >= 240)
  t.ok(target.seen.length - calledBefore <= 5, 'a probe now and then')
  t.equal((await listener.report()).spilled, 0)

  status = 200
  await until(async () => {
    await submit(stream, [instruction])
    submitted += 1
    return (await listener.report()).breakers.length === 0
  })
  const [again] = await submit(stream, [instruction])
  submitted += 1
  await until(() => target.seen.some(({ headers }) => headers['posthaste-id'] === again?.id))
  t.ok((await listener.report()).succeeded < submitted, 'what comes now is called at once, what was parked later')

  clock.pass(40_000)
  await until(async () => (await listener.ping('ping', 1_000)).succeeded === submitted)
  t.match(await listener.report(), { failed: 0, expired: 0 }, 'all are called, and none has used up its attempts')
  t.equal(said.filter((what) => 'outageMs' in what).length, 2, 'it is said')
})

const lively: Readonly<Record<string, { readonly answer: Answer; readonly result: string }>> = {
  'is busy': { answer: (_, response) => response.writeHead(429).end(), result: '4xx' },
  'refuses everything': { answer: (_, response) => response.writeHead(404).end(), result: '4xx' },
  'succeeds one time in nine': { answer: ninth(), result: '5xx' },
}

for (const [what, { answer, result }] of Object.entries(lively)) {
  t.test(`a target that ${what} is called all the time`, async (t) => {
    const target = await startTarget(t, answer)
    const results = new Map<string, number>()
    const { listener, stream } = await startListener(t, {
      concurrencyPerTarget: 1,
      onAttempt: (attempt) => results.set(attempt.result, (results.get(attempt.result) ?? 0) + 1),
    })
    await listener.ping('ping', 0)
    const startedMs = performance.now()
    while (performance.now() - startedMs < 3_000) {
      const seen = target.seen.length
      await submit(stream, Array(20).fill({ target: target.url }))
      await until(() => target.seen.length === seen + 20)
    }
    t.match(await listener.report(), { parked: 0, breakers: [] })
    t.ok((results.get(result) ?? 0) >= 20, JSON.stringify([...results]))
  })
}

t.test('what is parked and expires meanwhile is said to have expired then', async (t) => {
  const target = await startTarget(t, (_, response) => response.writeHead(503).end())
  const { listener, stream } = await startListener(t)
  await submit(stream, Array(50).fill({ target: target.url, retry: QUICK }))
  await listener.ping('ping', 0)
  await until(async () => (await listener.report()).breakers.length > 0)
  const nowMs = Date.now()
  const [call] = await submit(stream, [{ target: target.url, retry: QUICK, expiresIn: '2s' }])
  const [entry] = await finalStates(stream, 1)
  t.match(entry, { id: call?.id, state: 'expired' })
  t.ok((entry?.atMs ?? 0) >= nowMs + 2_000, 'not before')
})

/** Fails eight times, then succeeds. */
function ninth(): Answer {
  let count = 0
  return (_, response) => {
    count += 1
    response.writeHead(count % 9 === 0 ? 200 : 503).end()
  }
}
