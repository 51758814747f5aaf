import type { Test } from 'tap'
import type { BrokerInstallation } from './broker-installation.js'
import { checkEnds } from './ends.js'
import { Fleet } from './fleet.js'
import { answerOf, DEFERRED_MS_MAX } from './instruction-mix.js'
import { createRandom } from './random.js'
import { repeatsBeside } from './repeats.js'
import { TargetServer } from './target-server.js'
import { Traffic } from './traffic.js'

/** So many instructions are accepted in all. */
const INSTRUCTIONS = 5_000
/** So many wait when the listeners start: most of them are still to be called when it happens. */
const WAITING = 4_000
/** It happens once the listeners have made so many calls. */
const CALLS_BEFORE = 300
/** What was answered so long before it happens was recorded, and the checkpoint said so. */
const COMMIT_MS_MAX = 1_500
const FAULTS_SHOWN = 10
const ACCEPT_MS_MAX = 60_000
const FIRST_CALLS_MS_MAX = 30_000
const CLIENTS = 32
const REST_MS = 10
/** Those that come while it happens. */
const SLOW_REST_MS = 200
const SETTINGS = { logAttempts: 'failed', stopGrace: '2s' } as const

export interface Trial {
  readonly fleet: Fleet
  readonly target: TargetServer
}

/** Starts the listeners. */
export type Start = (fleet: Fleet) => Promise<void>

/** What happens, while instructions keep coming. Resolves when it is over. */
export type Fault = (trial: Trial) => Promise<void>

/**
 * Has 5,000 instructions of the mix accepted and called while something happens to the broker, to the listeners or to
 * the network between them, and checks that each came to its one end.
 */
export async function tryFault(t: Test, installation: BrokerInstallation, start: Start, fault: Fault): Promise<void> {
  const random = createRandom()
  const target = await TargetServer.start(answerOf)
  t.teardown(() => target.stop())
  const fleet = new Fleet(installation, SETTINGS)
  t.teardown(() => fleet.crash(fleet.members))
  await fleet.start(['accepter'])
  const traffic = new Traffic({
    url: () => fleet.doorUrl,
    targetUrl: target.url,
    random,
    clients: CLIENTS,
    restMs: REST_MS,
  })
  t.teardown(() => traffic.stop())
  await traffic.until(WAITING, ACCEPT_MS_MAX)
  traffic.slowDown(SLOW_REST_MS)
  await start(fleet)
  await target.until(({ arrivals }) => arrivals.length >= CALLS_BEFORE, FIRST_CALLS_MS_MAX)
  const called = new Set(target.arrivals.map(({ id }) => id))
  t.comment(`seed ${random.seed}; ${traffic.accepted.size - called.size} are accepted and not called when it happens`)

  const fromMs = Date.now()
  await fault({ fleet, target })
  const toMs = Date.now()
  await traffic.until(INSTRUCTIONS, ACCEPT_MS_MAX)
  await traffic.stop()
  await fleet.ready()
  const journal = await checkEnds(t, { fleet, installation, target, traffic, fromMs: Date.now() + DEFERRED_MS_MAX })
  // What was in work comes back when its listener counts as dead, and may be lost once more by then.
  const { count, unexplained } = repeatsBeside(target, fromMs - COMMIT_MS_MAX, toMs + 2 * installation.takeOverMs)
  t.strictSame(unexplained.slice(0, FAULTS_SHOWN), [], 'only what was in flight while it happened is called again')
  const { accepted, refused, unanswered } = traffic
  t.comment(
    `it took ${toMs - fromMs} ms; ${accepted.size} got 202, ${unanswered} no answer, ${JSON.stringify([...refused])} ` +
      `other answers; ${target.arrivals.length} calls, ${count} of them repeats; ${journal.length} entries; ` +
      `${Date.now() - toMs} ms until all was over`,
  )
}
