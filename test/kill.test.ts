import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { answerOf } from './harness/instruction-mix.js'
import { Ledger } from './harness/ledger.js'
import { Lives } from './harness/lives.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { createRandom } from './harness/random.js'
import { drained, readState } from './harness/stored-state.js'
import { TargetServer } from './harness/target-server.js'
import { temporaryDirectory } from './harness/temporary-directory.js'
import { Traffic } from './harness/traffic.js'

// Kills processes at random moments under load, then checks every instruction against what the target saw and what the
// journal says. A run is repeated, as far as timing allows, with its seed: node test/dist/kill.test.js <seed>

type Role = 'accepter' | 'listener' | 'start'
type Choice = readonly Role[]

const CONCURRENCY = 64
/**
 * A listener commits what is answered at once, a transaction at a time: what is answered while one is written goes with
 * the next. So what was answered two fsyncs before a kill is recorded. On a busy machine an fsync takes its time.
 */
const COMMIT_MS_MAX = 1_500
const DRAIN_MS_MAX = 60_000
const FAULTS_SHOWN = 10

const random = createRandom()
t.comment(`seed ${random.seed}`)
t.setTimeout(240_000)

t.test('an accepter and a listener, killed one by one and together', (t) =>
  killAgainAndAgain(t, [['listener'], ['listener'], ['accepter'], ['accepter', 'listener']], 12),
)

t.test('all in one process, killed', (t) => killAgainAndAgain(t, [['start']], 10))

/** Runs a process for each role that the choices name; each kill hits all roles of one choice. */
async function killAgainAndAgain(t: Test, choices: readonly Choice[], kills: number): Promise<void> {
  const startedMs = performance.now()
  const dataDir = temporaryDirectory(t)
  const target = await TargetServer.start(answerOf)
  t.teardown(() => target.stop())
  const victims = new Victims(dataDir)
  t.teardown(() => victims.crash(victims.roles))
  await victims.start([...new Set(choices.flat())])
  const url = (): string | undefined => victims.doorUrl
  const traffic = new Traffic({ url, targetUrl: target.url, random, clients: 48, restMs: 100 })
  const lives = new Lives(dataDir, target)

  const open: number[] = []
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(random.integer(100, 1_500))
    const choice = choices[random.integer(0, choices.length - 1)] as Choice
    const killedAtMs = await victims.crash(choice)
    if (choice.some((role) => role !== 'accepter')) {
      await lives.end(killedAtMs)
      open.push(traffic.accepted.size - lives.finals)
    }
    const started = victims.start(choice)
    // Some die while they start.
    if (random.next() < 0.8) await started
    else started.catch(() => undefined)
  }
  await victims.ready()
  await sleep(300)
  await traffic.stop()
  // What follows says more of why.
  await drained(dataDir, DRAIN_MS_MAX).catch((error: Error) => t.fail(error.message))
  await victims.stop()
  await lives.end(Date.now())

  const ledger = new Ledger({
    plans: traffic.plans,
    accepted: traffic.accepted,
    arrivals: target.arrivals,
    journal: lives.journal,
  })
  checkLedger(t, ledger)
  checkLives(t, lives)
  const { calls, progress, timers } = await readState(dataDir)
  t.equal(progress.committed, progress.end, 'the checkpoint stands at the end of calls')
  t.strictSame({ calls, timers }, { calls: [], timers: 0 }, 'nothing is left on calls or on the timers')

  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
  const { accepted, plans, refused, unanswered } = traffic
  t.ok(accepted.size > 1_000, `${accepted.size} of ${plans.length} instructions got 202`)
  t.comment(
    `${kills} kills in ${seconds} s: ${plans.length} instructions sent, ${accepted.size} got 202, ` +
      `${unanswered} no answer, ${JSON.stringify([...refused])} other answers; ${target.arrivals.length} calls; ` +
      `up to ${Math.max(...open)} accepted and not ended at a kill`,
  )
}

function checkLedger(t: Test, ledger: Ledger): void {
  const none = (faults: string[], rule: string) => t.strictSame(faults.slice(0, FAULTS_SHOWN), [], rule)
  none(ledger.lost(), 'what got 202 reached its target')
  none(ledger.foreign(), 'one instruction is one invocation')
  none(ledger.wronglyRecorded(), 'every attempt is recorded once and the last one alone is final')
  none(ledger.wronglyCalled(), 'the target saw the attempts that are recorded')
  none(ledger.wronglyForwarded(), 'what is to be forwarded is forwarded under one id')
  none(ledger.early(), 'nothing came before its time')
}

/**
 * What may be repeated at most: for each kill, the calls in flight then, which the target had seen and the journal did
 * not record. These are counted, not estimated, because the journal is read while nothing runs. That the count itself
 * is small is checked too: what runs is limited by the listener's places, what is answered is recorded soon.
 */
function checkLives(t: Test, { deaths, faults, repeats }: Lives): void {
  t.strictSame(faults.slice(0, FAULTS_SHOWN), [], 'only what was in flight at a kill is called again')
  const inFlight = deaths.reduce((sum, death) => sum + death.inFlight, 0)
  const running = Math.max(...deaths.map((death) => death.running))
  const unrecordedMs = Math.max(...deaths.map((death) => death.unrecordedMs))
  t.ok(repeats <= inFlight, `${repeats} repeats, ${inFlight} calls in flight at the kills`)
  t.ok(running <= CONCURRENCY, `at most ${running} were running`)
  t.ok(unrecordedMs <= COMMIT_MS_MAX, `what was answered ${unrecordedMs} ms before a kill was recorded`)
  t.comment(
    `in flight at each kill (running): ${deaths.map((death) => `${death.inFlight} (${death.running})`).join(' ')}`,
  )
}

/** The processes of one installation, by their roles. */
class Victims {
  readonly #dataDir: string
  readonly #running = new Map<Role, PosthasteProcess>()

  constructor(dataDir: string) {
    this.#dataDir = dataDir
  }

  get roles(): Role[] {
    return [...this.#running.keys()]
  }

  /** Where to POST to; undefined while nobody is there. */
  get doorUrl(): string | undefined {
    const door = this.#running.get('start') ?? this.#running.get('accepter')
    return door?.isReady ? door.url : undefined
  }

  /** Resolves once they are ready. */
  async start(roles: readonly Role[]): Promise<void> {
    const settings = { concurrencyPerTarget: String(CONCURRENCY), logAttempts: 'failed', stopGrace: '2s' }
    for (const role of roles) {
      this.#running.set(role, new PosthasteProcess({ role, dataDir: this.#dataDir, settings }))
    }
    await Promise.all(roles.map((role) => this.#running.get(role)?.ready()))
  }

  /** Kills without warning, resolves once nothing is left of them, and returns when it was. */
  async crash(roles: readonly Role[]): Promise<number> {
    const killedAtMs = Date.now()
    const killed = roles.map((role) => this.#running.get(role) as PosthasteProcess)
    for (const one of killed) one.kill('SIGKILL')
    await Promise.all(killed.map(({ exited }) => exited))
    return killedAtMs
  }

  async ready(): Promise<void> {
    await Promise.all([...this.#running.values()].map((one) => one.ready()))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map((one) => one.stop()))
  }
}
