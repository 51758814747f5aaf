import type { Test } from 'tap'
import type { BrokerInstallation } from './broker-installation.js'
import { checkEnds } from './ends.js'
import { Fleet } from './fleet.js'
import { answerOf, DEFERRED_MS_MAX } from './instruction-mix.js'
import { createRandom } from './random.js'
import { findRepeats } from './repeats.js'
import { TargetServer } from './target-server.js'
import { Traffic } from './traffic.js'

/** So many instructions are accepted in all, and so many of them before something happens. */
const INSTRUCTIONS = 5_000
const BEFORE = 3_500
/** At least once, and seldom more: of some 6,000 calls. */
const REPEATS_MAX = 600
const ACCEPT_MS_MAX = 60_000
const CLIENTS = 32
const REST_MS = 10
const SETTINGS = { logAttempts: 'failed', stopGrace: '2s' } as const

export interface Trial {
  readonly fleet: Fleet
  readonly target: TargetServer
}

/** Starts the processes. */
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
  await start(fleet)
  const traffic = new Traffic({
    url: () => fleet.doorUrl,
    targetUrl: target.url,
    random,
    clients: CLIENTS,
    restMs: REST_MS,
  })
  t.teardown(() => traffic.stop())
  await traffic.until(BEFORE, ACCEPT_MS_MAX)
  const ended = new Set(target.arrivals.filter(({ answered }) => answered).map(({ id }) => id))
  t.comment(`seed ${random.seed}; ${traffic.accepted.size - ended.size} are accepted and not called when it happens`)

  const fromMs = performance.now()
  await fault({ fleet, target })
  const faultMs = Math.round(performance.now() - fromMs)
  await traffic.until(INSTRUCTIONS, ACCEPT_MS_MAX)
  await traffic.stop()
  await fleet.ready()
  const journal = await checkEnds(t, { fleet, installation, target, traffic, fromMs: Date.now() + DEFERRED_MS_MAX })
  const { accepted, refused, unanswered } = traffic
  const { count } = findRepeats(target, [], 0)
  t.comment(
    `it took ${faultMs} ms; ${accepted.size} got 202, ${unanswered} no answer, ${JSON.stringify([...refused])} other ` +
      `answers; ${target.arrivals.length} calls, ${count} of them repeats; ${journal.length} entries; ` +
      `${Math.round(performance.now() - fromMs)} ms in all`,
  )
  t.ok(count <= REPEATS_MAX, `${count} calls are repeats`)
}
