import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { brokers, embedded, testOn } from './harness/backends.js'
import type { BrokerInstallation } from './harness/broker-installation.js'
import type { EmbeddedInstallation } from './harness/embedded-installation.js'
import { checkEnds } from './harness/ends.js'
import { Fleet } from './harness/fleet.js'
import type { Installation } from './harness/installation.js'
import { answerOf, DEFERRED_MS_MAX } from './harness/instruction-mix.js'
import { firstEntries } from './harness/journal.js'
import { checkLedger, Ledger } from './harness/ledger.js'
import { Lives } from './harness/lives.js'
import type { Role } from './harness/posthaste-process.js'
import { createRandom } from './harness/random.js'
import { drained, readState } from './harness/stored-state.js'
import { TargetServer } from './harness/target-server.js'
import { Traffic } from './harness/traffic.js'

// Kills processes at random moments under load, then checks every instruction against what the target saw and what the
// journal says. A run is repeated, as far as timing allows, with its seed: node test/dist/kill.test.js <seed>

type Choice = readonly Role[]

const CONCURRENCY = 64
/**
 * A listener commits what is answered at once, a transaction at a time: what is answered while one is written goes with
 * the next. So what was answered two fsyncs before a kill is recorded. On a busy machine an fsync takes its time.
 */
const COMMIT_MS_MAX = 1_500
/** Kafka's checkpoint is committed every half second, and that takes its time. */
const UNCOMMITTED_MS_MAX = 1_000
const DRAIN_MS_MAX = 60_000
/** A listener that made so many calls is at work. */
const CALLS_AT_WORK = 50
const FAULTS_SHOWN = 10
const SETTINGS = { concurrencyPerTarget: String(CONCURRENCY), logAttempts: 'failed', stopGrace: '2s' } as const

const random = createRandom()
t.comment(`seed ${random.seed}`)
t.setTimeout(580_000)

testOn(t, embedded, 'an accepter and a listener, killed one by one and together', 120_000, async (t) => {
  const choices: Choice[] = [['listener'], ['listener'], ['accepter'], ['accepter', 'listener']]
  await killOnEmbedded(t, embedded.create(t), choices, 12)
})

testOn(t, embedded, 'all in one process, killed', 120_000, (t) =>
  killOnEmbedded(t, embedded.create(t), [['start']], 10),
)

for (const broker of brokers) {
  testOn(t, broker, 'all in one process, killed', 180_000, (t) => killOnBroker(t, broker.create(t), [['start']], 4))
}

async function killOnEmbedded(
  t: Test,
  installation: EmbeddedInstallation,
  choices: readonly Choice[],
  kills: number,
): Promise<void> {
  const { fleet, lives, traffic, target } = await killAgainAndAgain(
    t,
    installation,
    choices,
    kills,
    async () => undefined,
  )
  // What follows says more of why.
  await drained(installation, DRAIN_MS_MAX).catch((error: Error) => t.fail(error.message))
  await fleet.stop()
  await lives.end(Date.now())

  checkLedger(t, new Ledger({ ...traffic, arrivals: target.arrivals, journal: lives.journal }))
  checkLives(t, lives)
  const { calls, progress, timers } = await readState(installation)
  t.equal(progress.committed, progress.end, 'the checkpoint stands at the end of calls')
  t.strictSame({ calls, timers }, { calls: [], timers: 0 }, 'nothing is left on calls or on the timers')
}

/** On a broker a new listener has to wait until the dead one counts as dead: each is killed when it is at work. */
async function killOnBroker(
  t: Test,
  installation: BrokerInstallation,
  choices: readonly Choice[],
  kills: number,
): Promise<void> {
  const atWorkMsMax = installation.takeOverMs + 30_000
  const atWork = (target: TargetServer): Promise<void> => {
    const before = target.arrivals.length
    return target.until(({ arrivals }) => arrivals.length >= before + CALLS_AT_WORK, atWorkMsMax)
  }
  const { fleet, lives, traffic, target } = await killAgainAndAgain(t, installation, choices, kills, atWork)
  await checkEnds(t, { fleet, installation, target, traffic, fromMs: Date.now() + DEFERRED_MS_MAX })
  await lives.end(Date.now())
  checkLives(t, lives)
  t.comment(`${lives.journal.length - firstEntries(lives.journal).length} entries are history`)
}

/** Runs a process for each role that the choices name; each kill hits all roles of one choice. */
async function killAgainAndAgain(
  t: Test,
  installation: Installation,
  choices: readonly Choice[],
  kills: number,
  atWork: (target: TargetServer) => Promise<void>,
) {
  const startedMs = performance.now()
  const target = await TargetServer.start(answerOf)
  t.teardown(() => target.stop())
  const fleet = new Fleet(installation, SETTINGS)
  t.teardown(() => fleet.crash(fleet.members))
  await fleet.start([...new Set(choices.flat())])
  const traffic = new Traffic({ url: () => fleet.doorUrl, targetUrl: target.url, random, clients: 48, restMs: 100 })
  t.teardown(() => traffic.stop())
  const lives = new Lives(installation, target, installation.backend === 'kafka' ? UNCOMMITTED_MS_MAX : undefined)

  const open: number[] = []
  for (let kill = 0; kill < kills; kill += 1) {
    await atWork(target)
    await sleep(random.integer(100, 1_500))
    const choice = choices[random.integer(0, choices.length - 1)] as Choice
    const killedAtMs = await fleet.crash(choice)
    if (choice.some((role) => role !== 'accepter')) {
      await lives.end(killedAtMs)
      open.push(traffic.accepted.size - lives.finals)
    }
    const started = fleet.start(choice)
    // Some die while they start.
    if (random.next() < 0.8) await started
    else started.catch(() => undefined)
  }
  await fleet.ready()
  await sleep(300)
  await traffic.stop()

  const { accepted, plans, refused, unanswered } = traffic
  t.ok(accepted.size > 1_000, `${accepted.size} of ${plans.length} instructions got 202`)
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
  t.comment(
    `${kills} kills in ${seconds} s: ${plans.length} instructions sent, ${accepted.size} got 202, ` +
      `${unanswered} no answer, ${JSON.stringify([...refused])} other answers; ` +
      `up to ${Math.max(...open)} accepted and not ended at a kill`,
  )
  return { fleet, lives, target, traffic }
}

/**
 * What may be repeated at most: for each kill, the calls in flight then, which the target had seen and the journal did
 * not record. These are counted, not estimated, because the journal is read while nothing runs. That the count itself
 * is small is checked too: what runs is limited by the listener's places, what is answered is recorded soon. On Kafka a
 * checkpoint is committed twice a second: what was recorded since the last one may be repeated too.
 */
function checkLives(t: Test, { deaths: ends, faults, repeats }: Lives): void {
  t.strictSame(
    faults.slice(0, FAULTS_SHOWN),
    [],
    'only what was in flight at a kill, or not committed, is called again',
  )
  // The last life ended by itself.
  const deaths = ends.slice(0, -1)
  const inFlight = deaths.reduce((sum, death) => sum + death.inFlight, 0)
  const uncommitted = deaths.reduce((sum, death) => sum + death.uncommitted, 0)
  const running = Math.max(...deaths.map((death) => death.running))
  const unrecordedMs = Math.max(...deaths.map((death) => death.unrecordedMs))
  t.ok(
    repeats <= inFlight + uncommitted,
    `${repeats} repeats, ${inFlight} calls in flight at the kills, ${uncommitted} not committed`,
  )
  t.ok(running <= CONCURRENCY, `at most ${running} were running`)
  t.ok(unrecordedMs <= COMMIT_MS_MAX, `what was answered ${unrecordedMs} ms before a kill was recorded`)
  t.comment(
    `in flight at each kill (running): ${deaths.map((death) => `${death.inFlight} (${death.running})`).join(' ')}`,
  )
}
