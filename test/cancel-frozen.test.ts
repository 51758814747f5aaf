import { setTimeout as sleep } from 'node:timers/promises'
import type { InstructionInput } from '@posthaste/core'
import t, { type Test } from 'tap'
import { type Backend, embedded, kafka, nats, testOn } from './harness/backends.js'
import { TAKE_OVER_MS } from './harness/broker-installation.js'
import type { Answered } from './harness/client.js'
import type { Shown } from './harness/control.js'
import { type ControlSetting, startControlSetting } from './harness/control-setting.js'
import { freezeOutsideCommit } from './harness/freeze.js'
import { untilShown } from './harness/until-shown.js'

// A listener is frozen with calls in its memory: running, waiting in line, waiting for their time. Meanwhile they are
// cancelled, or moved. Whatever is said to be cancelled is not called afterwards, and what is moved not at its old time:
// not by the listener that takes over, and not by the frozen one when it goes on.

/** A listener that has not heard for so long whether anything was asked calls nothing. */
const KNOWN_WITHIN_MS = 2_000
/** Time enough to freeze it before. */
const DUE_AFTER_MS = 8_000
/** Time enough to say that it is moved before it is called. */
const SOON_MS = 1_000
const MARGIN_MS = 500
const HOUR_MS = 3_600_000
/** How long a client that is told to come again does so. */
const PATIENCE_MS = 20_000
const WAIT = '?wait=60s'
/** A target has so many places before it has answered. */
const PLACES_FIRST = 2
const ROUNDS = 4
const DUE_AT_ONCE = 30

t.setTimeout(580_000)
// They wait most of the time.
t.jobs = 2

for (const backend of [embedded, nats, kafka]) {
  for (const end of ['it goes on', 'another takes over', 'it dies'] as const) {
    const name = `cancel and move while the listener is frozen, then ${end}`
    testOn(t, backend, name, 90_000, (t) => tryFreeze(t, backend, end), { buffered: true })
  }
  testOn(t, backend, 'cancel what comes due while the listener is frozen for a moment', 90_000, tryMoments, {
    buffered: true,
  })
}

/** What an invocation does when the listener freezes. */
type Kind = 'running' | 'in line' | 'due' | 'retrying' | 'far off'

interface Asked {
  readonly kind: Kind
  readonly what: 'cancel' | 'move'
  readonly id: string
  /** How often it had been called when the listener froze. */
  readonly callsBefore: number
}

async function tryFreeze(
  t: Test,
  backend: Backend,
  end: 'it goes on' | 'another takes over' | 'it dies',
): Promise<void> {
  const setting = await startControlSetting(t, backend)
  const { callsOf, control, fleet, targets } = setting
  const sleeper = fleet.process('listener-1')
  const accepted = await acceptAll(setting)
  const allDueMs = performance.now() + DUE_AFTER_MS
  const attempt = await freezeOutsideCommit(sleeper, fleet.process('accepter'), `${targets.quick.url}/`)
  const frozenAtMs = performance.now()
  // What it sent last is heard.
  await setting.heardAll()
  const asked = accepted.map(([kind, id], index): Asked => {
    const isMoved = index % 2 === 1 && kind !== 'running' && kind !== 'in line'
    return { kind, id, what: isMoved ? 'move' : 'cancel', callsBefore: callsOf(id).length }
  })
  const newTimeMs = Date.now() + 2 * HOUR_MS
  const reports = asked.map((one) => ask(setting, one, newTimeMs))
  const known = asked.map(({ id }) => untilShown(control, id, ({ pendingChange }) => pendingChange !== undefined))
  // A change that is refused would be waited for in vain.
  const refused = new Promise<never>((_, reject) => {
    for (const report of reports)
      report.then(({ answer }) => answer.status !== 200 && reject(new Error(answer.text)), reject)
  })
  await Promise.race([Promise.all(known), refused])
  t.comment(`frozen at the ${attempt}. attempt; ${asked.length} changes are known after ${since(frozenAtMs)} ms`)
  // When it wakes, the next in line have a place.
  setting.release()
  if (end === 'another takes over') {
    await fleet.start(['listener-2'])
    await Promise.all(reports)
    t.comment(`all of them are made by the other listener after ${since(frozenAtMs)} ms`)
  } else {
    const frozenMs = (end === 'it dies' ? TAKE_OVER_MS : KNOWN_WITHIN_MS) + MARGIN_MS
    await sleep(Math.max(frozenAtMs + frozenMs, allDueMs) - performance.now())
  }
  if (end === 'it dies') {
    await fleet.remove('listener-1', 'SIGKILL')
    // All is its own at once, and it knows nothing yet.
    await fleet.start(['listener-2'])
  } else {
    sleeper.kill('SIGCONT')
  }
  const answers = (await Promise.all(reports)).map(({ answer }) => answer)
  t.comment(`all is done ${since(frozenAtMs)} ms after the freeze`)
  t.strictSame(answers.map(statusOrText), new Array(asked.length).fill(200), 'all that was asked for is done')
  await setting.drain()
  checkCalls(t, setting, asked)
  await checkStates(t, setting, asked, newTimeMs)
}

/** Nothing was called that was asked for in time, and what ran was given up. */
function checkCalls(t: Test, { callsOf }: ControlSetting, asked: readonly Asked[]): void {
  for (const kind of new Set(asked.map((one) => one.kind))) {
    const ofKind = asked.filter((one) => one.kind === kind)
    const late = ofKind.flatMap(({ callsBefore, id, what }) =>
      callsOf(id)
        .slice(callsBefore)
        .map(() => `${what} ${id}`),
    )
    t.strictSame(late, [], `${ofKind.length} ${kind}: none is called afterwards`)
  }
  const running = asked.filter(({ kind }) => kind === 'running').flatMap(({ id }) => callsOf(id))
  t.ok(running.length > 0 && running.every(({ answered }) => !answered), `${running.length} that ran were given up`)
}

/** What was cancelled has ended so; what was moved waits for its new time, and is called once when that is soon. */
async function checkStates(
  t: Test,
  setting: ControlSetting,
  asked: readonly Asked[],
  newTimeMs: number,
): Promise<void> {
  const { callsOf, control } = setting
  const shown = await Promise.all(asked.map(async ({ id }) => (await control.get(id)).json as Shown))
  const times = shown.map(({ nextAttemptAt, state }) => nextAttemptAt ?? state)
  const newTime = new Date(newTimeMs).toISOString()
  t.strictSame(
    times,
    asked.map(({ what }) => (what === 'move' ? newTime : 'cancelled')),
    'so it is shown',
  )
  const moved = asked.filter(({ what }) => what === 'move')
  const answers = await Promise.all(moved.map(({ id }) => control.move(id, Date.now() + SOON_MS, WAIT)))
  t.strictSame(
    answers.map(statusOrText),
    moved.map(() => 200),
    'what was moved is moved once more',
  )
  await Promise.all(moved.map(({ id }) => untilShown(control, id, ({ state }) => state === 'succeeded')))
  await setting.drain()
  const calls = moved.map(({ callsBefore, id }) => callsOf(id).length - callsBefore)
  t.strictSame(
    calls,
    moved.map(() => 1),
    `each of these ${moved.length} is called once`,
  )
}

/** It knows what was asked a moment ago, wakes, and calls: what it calls then is not said to be cancelled before. */
async function tryMoments(t: Test, backend: Backend): Promise<void> {
  const setting = await startControlSetting(t, backend)
  const { callsOf, fleet, targets } = setting
  const sleeper = fleet.process('listener-1')
  let [cancelled, called] = [0, 0]
  for (let round = 0; round < ROUNDS; round += 1) {
    const dueMs = Date.now() + 1_500
    const instruction = { target: `${targets.quick.url}/`, notBefore: new Date(dueMs).toISOString() }
    const ids = await Promise.all(Array.from({ length: DUE_AT_ONCE }, () => setting.accept(instruction)))
    await freezeOutsideCommit(sleeper, fleet.process('accepter'), `${targets.quick.url}/`)
    const reports = ids.map((id) => ask(setting, { id, what: 'cancel' }, 0))
    await sleep(dueMs - Date.now() + 100 * round)
    sleeper.kill('SIGCONT')
    const done = (await Promise.all(reports)).filter(({ answer }) => answer.status === 200)
    await setting.drain()
    const late = done.filter(({ calls, id }) => callsOf(id).length > calls)
    t.strictSame(
      late.map(({ id }) => id),
      [],
      'nothing is called after it was said to be cancelled',
    )
    cancelled += done.length
    called += ids.filter((id) => callsOf(id).length > 0).length
  }
  t.ok(cancelled > 0, `${cancelled} were cancelled, ${called} called, of ${ROUNDS * DUE_AT_ONCE}`)
}

interface Report {
  readonly id: string
  readonly answer: Answered
  /** How often it had been called by then. */
  readonly calls: number
}

async function ask(
  setting: ControlSetting,
  { id, what }: Pick<Asked, 'id' | 'what'>,
  newTimeMs: number,
): Promise<Report> {
  const { callsOf, control } = setting
  const asking = () => (what === 'cancel' ? control.cancel(id, WAIT) : control.move(id, newTimeMs, WAIT))
  const untilMs = performance.now() + PATIENCE_MS
  let answer = await asking()
  // As a client does: a view that had no processor for two seconds does not know yet.
  while (answer.status === 503 && performance.now() < untilMs) answer = await asking()
  await setting.heardAll()
  return { id, answer, calls: callsOf(id).length }
}

/** Has some of each kind accepted, and resolves when each is what its kind says. */
async function acceptAll({ accept, callsOf, control, targets }: ControlSetting): Promise<[Kind, string][]> {
  const { holding, quick, releasing } = targets
  const some = async (kind: Kind, count: number, instruction: InstructionInput): Promise<[Kind, string][]> => {
    const ids = await Promise.all(Array.from({ length: count }, () => accept(instruction)))
    return ids.map((id) => [kind, id])
  }
  const failing = {
    target: `${quick.url}/failing`,
    retry: { initialDelay: `${DUE_AFTER_MS}ms`, jitter: 'none' } as const,
  }
  const retrying = await some('retrying', 4, failing)
  await Promise.all(retrying.map(([, id]) => untilShown(control, id, ({ state }) => state === 'retrying')))
  const due = await some('due', 8, { target: `${quick.url}/`, delay: `${DUE_AFTER_MS}ms` })
  const farOff = await some('far off', 4, { target: `${quick.url}/`, delay: '1h' })
  const waiting = [...due, ...farOff].map(([, id]) => id)
  await Promise.all(waiting.map((id) => untilShown(control, id, ({ nextAttemptAt }) => nextAttemptAt !== undefined)))
  // A target that does not answer has few places: the others wait in line.
  const running = await some('running', 2, { target: `${holding.url}/`, timeout: '60s' })
  const line = await some('in line', 12, { target: `${releasing.url}/`, timeout: '60s' })
  await Promise.all([holding, releasing].map((target) => target.until(() => target.waiting === PLACES_FIRST)))
  await releasing.heardAll()
  return [...retrying, ...due, ...farOff, ...running, ...line.filter(([, id]) => callsOf(id).length === 0)]
}

function statusOrText({ status, text }: Answered): number | string {
  return status === 200 ? 200 : text
}

function since(startedMs: number): number {
  return Math.round(performance.now() - startedMs)
}
