import { type FunctionMap, functionMapOf, NO_FUNCTIONS } from '@posthaste/core'
import t from 'tap'
import { functionLimits } from '../src/function-limits.js'
import { type CallEnd, Target } from '../src/target.js'
import { Targets } from '../src/targets.js'

const LIMITS = { places: 10, failures: 10, rate: 0, burst: 1 }
const ALIVE: CallEnd = { answered: true, durationMs: 1, sign: 'alive' }
const DEAD: CallEnd = { answered: false, durationMs: 1, sign: 'dead' }
const DEAD_TARGET = 'http://dead'
/** More than may keep their connections. */
const MANY = 2_000
/** More than are remembered. */
const VERY_MANY = 20_000

function call(targets: Targets<never>, origin: string, end: CallEnd, nowMs: number): boolean {
  const target = targets.of(origin, nowMs)
  if (!targets.begin(target, nowMs)) return false
  targets.end(target, end, nowMs)
  return true
}

function callMany(targets: Targets<never>, count: number, end: CallEnd, nowMs: number): void {
  for (let at = 0; at < count; at += 1) call(targets, `http://${at}`, end, nowMs)
}

t.test('however many targets answer, a dead one is found out, and not forgotten', async (t) => {
  const targets = new Targets<never>(64, LIMITS)
  for (let ms = 1_000; ms <= 10_000; ms += 1_000) {
    callMany(targets, MANY, ALIVE, ms)
    t.ok(call(targets, DEAD_TARGET, DEAD, ms))
    targets.sweep(ms)
  }
  t.match(targets.openBreakers(10_000), [{ origin: DEAD_TARGET, outageMs: 9_001 }])
  callMany(targets, MANY, ALIVE, 40_000)
  targets.sweep(40_000)
  t.equal(targets.openBreakers(40_000).length, 1)
  t.equal(targets.of(DEAD_TARGET, 40_000).outageMs(40_000), 39_001)
})

t.test('however many targets answer, one that has used up its rate has none left', async (t) => {
  const targets = new Targets<never>(64, { ...LIMITS, rate: 0.1 })
  t.ok(call(targets, 'http://limited', ALIVE, 1_000))
  callMany(targets, MANY, ALIVE, 1_000)
  targets.sweep(1_000)
  t.notOk(call(targets, 'http://limited', ALIVE, 2_000))
})

t.test('of very many targets those are remembered that answer, and those that are dead', async (t) => {
  const targets = new Targets<never>(64, { ...LIMITS, failures: 1 })
  call(targets, 'http://alive', ALIVE, 1_000)
  const slow: CallEnd = { answered: false, durationMs: 30_000, sign: 'dead' }
  call(targets, DEAD_TARGET, slow, 1_000)
  callMany(targets, VERY_MANY, DEAD, 1_000)
  targets.sweep(1_000)
  const known = Array.from({ length: VERY_MANY }, (_, at) => targets.known(`http://${at}`)).filter(Boolean)
  t.equal(known.length, 10_000 - 2)
  t.ok(targets.known('http://alive'))
  t.ok(targets.known(DEAD_TARGET)?.isDead)
  targets.sweep(1_000 + 16 * 60_000)
  t.notOk(targets.known(DEAD_TARGET), 'but not for ever')
})

t.test('a target that nobody called for long is forgotten, and one that fails a little later', async (t) => {
  const targets = new Targets<never>(64, LIMITS)
  call(targets, 'http://alive', ALIVE, 1_000)
  call(targets, 'http://fails', DEAD, 1_000)
  const isKnown = (): boolean[] => ['http://alive', 'http://fails'].map((origin) => targets.known(origin) !== undefined)
  targets.sweep(30_999)
  t.strictSame(isKnown(), [true, true])
  targets.sweep(31_000)
  t.strictSame(isKnown(), [false, true], 'failures within a minute count together')
  targets.sweep(61_000)
  t.strictSame(isKnown(), [false, false])
})

t.test('calls that hang since before it was dead keep no probe out', async (t) => {
  const targets = new Targets<never>(40, { ...LIMITS, failures: 1 })
  const target = targets.of(DEAD_TARGET, 1_000)
  const hung: CallEnd = { answered: false, durationMs: 5_000, sign: 'dead' }
  for (let count = 0; count < 10; count += 1) call(targets, DEAD_TARGET, ALIVE, 1_000)
  for (let count = 0; count < 8; count += 1) t.ok(targets.begin(target, 1_000))
  for (let count = 0; count < 12; count += 1) t.ok(targets.begin(targets.of(`http://${count}`, 1_000), 1_000))
  targets.end(target, hung, 10_000)
  t.ok(target.isDead)
  t.notOk(targets.begin(target, 10_500))
  t.ok(targets.begin(target, 20_000), 'although it has more than its share of the places that are free')
})

t.test('what took long while it was dead says nothing of how long it takes now', async (t) => {
  const targets = new Targets<string>(64, { ...LIMITS, failures: 1 })
  const target = targets.of(DEAD_TARGET, 1_000)
  const hung: CallEnd = { answered: false, durationMs: 30_000, sign: 'dead' }
  t.ok(targets.begin(target, 1_000))
  targets.end(target, hung, 31_000)
  t.ok(target.isDead)
  t.ok(targets.begin(target, 61_000))
  targets.end(target, ALIVE, 61_001)
  for (let count = 0; count < 100; count += 1) targets.wait(target, 'one', 61_001)
  t.notOk(targets.waitsTooLong(target, false, 61_001))
})

t.test('other limits hold at once, and what was taken of a rate that stays is not forgotten', async (t) => {
  const target = new Target<string>('function://resize', LIMITS, 0)
  const slow = { ...LIMITS, rate: 0.001, burst: 1 }
  target.wait('waits', 0)
  target.limit(slow, 0)
  target.begin(0)
  t.notOk(target.hasPlace(1))
  target.limit({ ...slow }, 1)
  t.notOk(target.hasPlace(1))
  target.limit(LIMITS, 1)
  t.ok(target.hasPlace(1))
  target.limit({ ...LIMITS, places: 1 }, 1)
  t.notOk(target.hasPlace(1))
  target.end(ALIVE, 2)
  t.ok(target.hasPlace(2))
  t.equal(target.take('first', 2), 'waits')
})

const FN = 'function://fn'

/** Targets that are functions, and what makes one of them another. */
function functionTargets() {
  const heard: string[] = []
  let functions: FunctionMap = NO_FUNCTIONS
  const limits = { ...LIMITS, failures: 1 }
  const onBreaker = (_: string, change: string) => void heard.push(change)
  const targets = new Targets<never>(
    64,
    limits,
    onBreaker,
    functionLimits(() => functions, limits, 64),
  )
  const become = (fields: object | undefined, nowMs: number): void => {
    const fn = { name: 'fn', url: 'http://old/', acceptStatus: 202 as const, headers: {}, routes: [], ...fields }
    functions = fields ? functionMapOf([fn]) : NO_FUNCTIONS
    targets.sweep(nowMs)
  }
  return { targets, heard, become }
}

t.test('a function that was dead is called again as soon as it is somewhere else', async (t) => {
  const { become, heard, targets } = functionTargets()
  become({}, 1_000)
  const hung: CallEnd = { answered: false, durationMs: 5_000, sign: 'dead' }
  const target = targets.of(FN, 1_000)
  for (let count = 0; count < 2; count += 1) t.ok(targets.begin(target, 1_000))
  targets.end(target, hung, 6_000)
  t.strictSame(heard, ['opened'])
  become({ limits: { concurrency: 10 } }, 6_100)
  t.ok(target.isDead, 'another limit makes it no other')
  become({ url: 'http://new/' }, 6_200)
  t.strictSame(heard, ['opened', 'closed'])
  targets.end(target, { ...hung, durationMs: 9_000 }, 10_000)
  t.notOk(target.isDead, 'of a call that began where it was, nothing is learnt')
  t.ok(call(targets, FN, ALIVE, 10_001))
  t.ok(call(targets, FN, hung, 20_000))
  t.ok(target.isDead, 'but of others')
})

t.test('how a function answered where it was says nothing of where it is', async (t) => {
  const { become, targets } = functionTargets()
  for (const [atMs, isDead] of [
    [1_000, true],
    [101_000, false],
  ] as const) {
    become({}, atMs)
    const target = targets.of(FN, atMs)
    for (let count = 0; count < 2; count += 1) t.ok(targets.begin(target, atMs))
    targets.end(target, { answered: false, durationMs: 30_000, sign: isDead ? 'dead' : 'none' }, atMs + 30_000)
    t.equal(target.isDead, isDead)
    become({ url: 'http://new/' }, atMs + 30_100)
    t.notOk(target.isStuck(atMs + 30_200), 'that one still hangs where it was')
    t.ok(call(targets, FN, ALIVE, atMs + 30_200))
    for (let count = 0; count < 100; count += 1) targets.wait(target, undefined as never, atMs + 30_200)
    t.notOk(targets.waitsTooLong(target, false, atMs + 30_200))
    targets.clear(atMs + 30_200)
    targets.end(target, 'not made', atMs + 30_200)
  }
})

t.test('a rate that changes, or goes and comes back, is never exceeded', async (t) => {
  const { become, targets } = functionTargets()
  const limited = (requestsPerSecond: number) => ({ limits: { requestsPerSecond, burst: 2 } })
  become(limited(0.001), 1_000)
  for (let count = 0; count < 2; count += 1) t.ok(call(targets, FN, ALIVE, 1_000))
  become(limited(0.002), 1_100)
  t.notOk(call(targets, FN, ALIVE, 1_100), 'nothing is given for a change')
  become(undefined, 1_200)
  t.notOk(call(targets, FN, ALIVE, 1_200))
  become(limited(0.002), 1_300)
  t.notOk(call(targets, FN, ALIVE, 1_300))
  become(limited(1), 1_400)
  t.ok(call(targets, FN, ALIVE, 2_500))
  t.notOk(call(targets, FN, ALIVE, 2_500))
})
