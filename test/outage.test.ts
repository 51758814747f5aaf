import t, { type Test } from 'tap'
import { type OutageFigures, type OutagePlan, simulateOutage, spreadOf } from './harness/outage.js'
import { temporaryDirectory } from './harness/temporary-directory.js'

// By a clock that is moved: a listener, a stream and calls that are real. With real time, on each stream, it is
// dead-backlog.test.ts.

const MINUTE_MS = 60_000
const PLAN = {
  targets: 10,
  perSecond: 20,
  stepMs: 1_000,
  calmMs: 10_000,
  // None can use up its attempts in the two seconds until it is known that the target is dead.
  retry: { jitter: 'equal' },
} as const
/** Calls in any second after its return, in times of what comes for it anyway. Many times as many wait for it then. */
const STAMPEDE = 10

t.setTimeout(280_000)

t.test('ten minutes of outage of one of ten targets', async (t) => {
  const plan = { ...PLAN, outageMs: 10 * MINUTE_MS }
  const figures = await simulate(t, plan)
  // Half of 10 minutes is reached after two parks of 30 s and six that are each half as long again as what was before.
  t.ok(figures.parksMax <= 8, `${figures.parksMax} parks at the most`)
  t.ok(figures.parked >= 1_100, `${figures.parked} were parked`)
  t.ok(figures.firstAfterMs <= 31_000, `called again after ${figures.firstAfterMs} ms`)
  t.ok(figures.lastAfterMs <= 0.6 * plan.outageMs + MINUTE_MS, `the last one after ${figures.lastAfterMs} ms`)
  const busiestMax = (STAMPEDE * plan.perSecond) / plan.targets
  t.ok(figures.busiestSecond <= busiestMax, `${figures.busiestSecond} calls in the busiest second`)
})

t.test('a dead target with 100,000 instructions', async (t) => {
  const { parksMax } = await simulate(t, { ...PLAN, outageMs: 1.5 * MINUTE_MS, burst: 100_000 })
  t.ok(parksMax <= 4, `${parksMax} parks at the most`)
})

async function simulate(t: Test, plan: OutagePlan): Promise<OutageFigures> {
  const figures = await simulateOutage(temporaryDirectory(t), plan)
  const { othersMs, ...rest } = figures
  t.comment(JSON.stringify(rest))
  t.comment(`others, real ms: calm ${spreadOf(othersMs.calm)}, outage ${spreadOf(othersMs.outage)}`)
  t.equal(rest.succeeded, rest.accepted, 'all are called in the end')
  t.equal(rest.failed, 0, 'none has used up its attempts')
  t.equal(rest.othersAside, 0, 'no other was put off')
  t.ok(rest.inVain <= 200, `${rest.inVain} calls in vain`)
  return figures
}
