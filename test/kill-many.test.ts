import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { brokers, testOn } from './harness/backends.js'
import type { BrokerInstallation } from './harness/broker-installation.js'
import { checkEnds } from './harness/ends.js'
import { Fleet, type Member } from './harness/fleet.js'
import { answerOf, DEFERRED_MS_MAX } from './harness/instruction-mix.js'
import { createRandom } from './harness/random.js'
import { findRepeats, type Kill } from './harness/repeats.js'
import { TargetServer } from './harness/target-server.js'
import { Traffic } from './harness/traffic.js'

// As kill.test.ts, with listeners that share the work: what one leaves behind goes to the others.

const ACCEPTERS = ['accepter-1', 'accepter-2'] as const
const LISTENERS = ['listener-1', 'listener-2', 'listener-3'] as const
const KILLS = 6
const CONCURRENCY = 64
/** What was answered so long before a kill was recorded, and the checkpoint said so. */
const COMMIT_MS_MAX = 1_500
/** Listeners that made so many calls are at work. */
const CALLS_AT_WORK = 50
const SETTINGS = { concurrencyPerTarget: String(CONCURRENCY), logAttempts: 'failed', stopGrace: '2s' } as const
/** The kernel closes the connections of a process that was killed; the target may be busy with others. */
const CLOSE_MS_MAX = 1_500
const FAULTS_SHOWN = 10

const random = createRandom()
t.comment(`seed ${random.seed}`)
/**
 * Of all calls. A deferral or a move of timers that is cut off by a kill is done again, so that a timer may be there twice;
 * after several kills in a row nobody may know any more that the first of the two was called.
 */
const DOUBLED_SHARE_MAX = 0.003

t.setTimeout(580_000)

for (const broker of brokers) {
  testOn(t, broker, 'two accepters and three listeners, killed', 280_000, (t) => killMany(t, broker.create(t)))
}

async function killMany(t: Test, installation: BrokerInstallation): Promise<void> {
  const target = await TargetServer.start(answerOf)
  t.teardown(() => target.stop())
  const fleet = new Fleet(installation, SETTINGS)
  t.teardown(() => fleet.crash(fleet.members))
  await fleet.start([...ACCEPTERS, ...LISTENERS])
  const traffic = new Traffic({ url: () => fleet.doorUrl, targetUrl: target.url, random, clients: 48, restMs: 100 })
  t.teardown(() => traffic.stop())

  const kills: Kill[] = []
  for (let kill = 0; kill < KILLS; kill += 1) {
    await atWork(target, installation)
    await sleep(random.integer(100, 1_500))
    const victims = chooseVictims(kill)
    const atMs = await fleet.crash(victims)
    kills.push({ atMs, seenMs: Date.now() + CLOSE_MS_MAX })
    const started = fleet.start(victims)
    // Some die while they start.
    if (random.next() < 0.8) await started
    else started.catch(() => undefined)
  }
  await fleet.ready()
  await traffic.stop()
  const journal = await checkEnds(t, { fleet, installation, target, traffic, fromMs: Date.now() + DEFERRED_MS_MAX })

  const { count, unexplained } = findRepeats(target, kills, COMMIT_MS_MAX)
  for (const repeat of unexplained.slice(0, FAULTS_SHOWN)) t.comment(repeat)
  const doubledMax = Math.ceil(target.arrivals.length * DOUBLED_SHARE_MAX)
  t.ok(
    unexplained.length <= doubledMax,
    `${unexplained.length} calls, at most ${doubledMax}, are made again that were neither in flight at a kill nor just ended`,
  )
  const { accepted, plans, refused, unanswered } = traffic
  t.ok(accepted.size > 1_000, `${accepted.size} of ${plans.length} instructions got 202`)
  t.comment(
    `${KILLS} kills: ${unanswered} instructions got no answer, ${JSON.stringify([...refused])} other answers; ` +
      `${target.arrivals.length} calls, ${count} of them repeats; ${journal.length} entries`,
  )
}

/** Every third time all listeners, otherwise one process. */
function chooseVictims(kill: number): readonly Member[] {
  if (kill % 3 === 2) return LISTENERS
  const all = [...LISTENERS, ...ACCEPTERS]
  return [all[random.integer(0, all.length - 1)] as Member]
}

/** A new listener has to wait until the dead one counts as dead. */
function atWork(target: TargetServer, { takeOverMs }: BrokerInstallation): Promise<void> {
  const before = target.arrivals.length
  return target.until(({ arrivals }) => arrivals.length >= before + CALLS_AT_WORK, takeOverMs + 30_000)
}
