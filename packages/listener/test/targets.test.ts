import t from 'tap'
import type { CallEnd } from '../src/target.js'
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
