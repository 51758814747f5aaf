import assert from 'node:assert/strict'
import {
  type Call,
  type Directive,
  decodeCall,
  encodeCall,
  type Failure,
  type Happening,
  type Invocation,
  type InvocationState,
  type Outcome,
} from '@posthaste/core'
import fc from 'fast-check'
import t from 'tap'
import type { InvocationView, ViewedLog } from '../src/index.js'
import { holds } from './property.js'
import {
  answered,
  callOf,
  FAILED,
  Feeder,
  NOW_MS,
  onCalls,
  onControl,
  onJournal,
  openView,
  type Told,
} from './view-harness.js'

// Lives of invocations as streams and listeners write them: what is shown is what happened, in whatever order the logs are
// read, and wherever they are cut.

const none = new Uint8Array(0)

/** What somebody who looked at everything would say of an invocation. */
interface Truth {
  readonly state: InvocationState
  readonly generation: number
  readonly attempts: readonly string[]
  readonly dueMs?: number | undefined
  readonly endedAtMs?: number | undefined
  readonly failure?: Failure | undefined
  readonly response?: string | undefined
  readonly asked?: string | undefined
}

type Step = { readonly [Log in ViewedLog]?: readonly Told[] } & { readonly truth: Truth }

/** What happens to one in turn. The last step is followed by nothing; what came before it is followed by something else. */
const plans = fc.record({
  delayed: fc.boolean(),
  /** Whether the notes of what is put off are lost, as they may be on NATS. Then only the last move can be known. */
  isDeaf: fc.boolean(),
  moves: fc.nat(2),
  /** Whether the record that a move replaces comes up before what was moved ends, or long after. */
  isOldEarly: fc.boolean(),
  statuses: fc.array(fc.constantFrom(500, 503, undefined), { maxLength: 3 }),
  checkedOut: fc.boolean(),
  abandoned: fc.boolean(),
  end: fc.constantFrom('succeeded', 'failed', 'expired', 'cancelled', 'none'),
  redriven: fc.boolean(),
  /** How many of the steps have been written. */
  cut: fc.nat(30),
})
type Plan = typeof plans extends fc.Arbitrary<infer T> ? T : never

class Life {
  readonly steps: Step[] = []
  readonly #plan: Plan
  #nowMs = NOW_MS
  #call: Call
  #truth: Truth = { state: 'queued', generation: 1, attempts: [] }
  #old: Told[] = []

  constructor(id: string, plan: Plan) {
    this.#plan = plan
    this.#call = callOf(id, { correlationId: `of ${id}` })
    this.#generation()
    if (plan.redriven && (plan.end === 'failed' || plan.end === 'expired')) this.#redrive()
  }

  #redrive(): void {
    const { notBeforeMs: _, move: __, ...call } = this.#call
    this.#call = { ...call, generation: 2, attempt: 1, acceptedAtMs: this.#later() }
    this.#generation()
  }

  #generation(): void {
    this.#accept()
    const moves = this.#plan.isDeaf ? Math.min(this.#plan.moves, 1) : this.#plan.moves
    for (let at = 0; this.#plan.delayed && at < moves; at += 1) this.#move()
    if (this.#plan.delayed) this.#comeDue()
    for (const status of this.#plan.statuses) {
      this.#run()
      this.#retry(status)
    }
    if (this.#plan.end === 'none') return
    if (this.#plan.end === 'cancelled') this.#cancel()
    else this.#end(this.#plan.end)
    if (this.#old.length > 0) this.#step({ calls: this.#old.splice(0) })
  }

  #accept(): void {
    const { delayed, isDeaf } = this.#plan
    const generation = this.#call.generation
    const { attempts, response } = this.#truth
    this.#truth = { state: 'queued', generation, attempts, response }
    if (!delayed) {
      this.#step({ calls: [onCalls(this.#call, this.#nowMs)] })
      return
    }
    this.#call = { ...this.#call, notBeforeMs: this.#nowMs + 1_000 }
    this.#truth = { ...this.#truth, state: 'scheduled', dueMs: this.#call.notBeforeMs }
    this.#step({ calls: [onCalls(this.#call, this.#nowMs)] })
    if (!isDeaf) this.#step({ journal: [this.#note()] })
  }

  #move(): void {
    const dueMs = this.#nowMs + 5_000
    const number = (this.#call.move ?? 0) + 1
    const move = this.#directive({ kind: 'move', number, dueMs })
    this.#truth = { ...this.#truth, asked: 'move' }
    this.#step({ control: [onControl(move)] })
    this.#old.push(onCalls(this.#call, this.#call.notBeforeMs))
    this.#call = { ...this.#call, notBeforeMs: dueMs, move: number }
    this.#truth = { ...this.#truth, dueMs, asked: 'move, done' }
    const control = [onControl({ ...move, isDone: true, record: none })]
    this.#step(this.#plan.isDeaf ? { control } : { journal: [this.#note()], control })
    if (this.#plan.isOldEarly) this.#step({ calls: this.#old.splice(0) })
  }

  #comeDue(): void {
    this.#nowMs = this.#call.notBeforeMs ?? this.#nowMs
    this.#truth = { ...this.#truth, state: 'queued', dueMs: undefined }
    this.#step({ calls: [onCalls(this.#call, this.#later())] })
  }

  /** A call that takes long, and may be given up and made again. */
  #run(): void {
    const { abandoned, checkedOut } = this.#plan
    if (!checkedOut) return
    this.#truth = { ...this.#truth, state: 'running' }
    this.#step({ journal: [this.#journal({ state: 'running' })] })
    if (!abandoned) return
    this.#truth = { ...this.#truth, state: 'queued' }
    this.#step({ calls: [onCalls(this.#call, this.#later())] })
  }

  #retry(status: number | undefined): void {
    const dueMs = this.#later() + 500
    const outcome = this.#outcome(status)
    this.#truth = { ...this.#truth, state: 'retrying', dueMs, failure: FAILED }
    this.#step({ journal: [this.#journal({ state: 'retrying', failure: FAILED, nextAttemptAtMs: dueMs }, outcome)] })
    const { move: _, ...call } = this.#call
    this.#call = { ...call, attempt: call.attempt + 1, notBeforeMs: dueMs }
    this.#comeDue()
  }

  #end(state: 'succeeded' | 'failed' | 'expired'): void {
    this.#run()
    const isFailed = state !== 'succeeded'
    const outcome = state === 'expired' ? undefined : this.#outcome(isFailed ? 500 : 200)
    const what = isFailed ? { failure: FAILED, record: encodeCall(this.#call) } : {}
    this.#finish(state, isFailed ? FAILED : undefined)
    this.#step({ journal: [this.#journal({ state, ...what }, outcome)] })
  }

  #cancel(): void {
    const cancel = this.#directive({ kind: 'cancel', number: 99 })
    this.#truth = { ...this.#truth, asked: 'cancel' }
    this.#step({ control: [onControl(cancel)] })
    const failure = { code: 'cancelled', detail: 'It was asked for.' } as const
    this.#finish('cancelled', failure)
    const entry = this.#journal({ state: 'cancelled', failure, record: encodeCall(this.#call) })
    this.#step({ journal: [entry], control: [onControl({ ...cancel, isDone: true, record: none })] })
    this.#step({ calls: [onCalls(this.#call, this.#later())] })
  }

  #finish(state: InvocationState, failure: Failure | undefined): void {
    const endedAtMs = this.#later()
    this.#truth = { ...this.#truth, state, failure, endedAtMs, dueMs: undefined, asked: undefined }
  }

  #outcome(status: number | undefined): Outcome {
    const { attempt, generation } = this.#call
    this.#truth = { ...this.#truth, attempts: [...this.#truth.attempts, `${generation}/${attempt}: ${status}`] }
    if (status === undefined) return { kind: 'unanswered', startedAtMs: this.#nowMs, durationMs: 1, ...FAILED }
    const body = `${status} ${generation}/${attempt}`
    this.#truth = { ...this.#truth, response: body }
    return answered(status, body, this.#nowMs)
  }

  #note(): Told {
    const { notBeforeMs } = this.#call
    return this.#journal({ state: 'scheduled', nextAttemptAtMs: notBeforeMs as number, record: encodeCall(this.#call) })
  }

  #journal(what: Omit<Happening, 'atMs'>, outcome?: Outcome): Told {
    return onJournal(this.#call, { atMs: this.#nowMs, ...what }, outcome)
  }

  #directive(what: Pick<Directive, 'kind' | 'number' | 'dueMs'>): Directive {
    const { attempt, generation, id } = this.#call
    const record = encodeCall(this.#call)
    return { id, generation, attempt, askedAtMs: this.#later(), isDone: false, untilMs: NOW_MS + 1e9, record, ...what }
  }

  #later(): number {
    this.#nowMs += 10
    return this.#nowMs
  }

  #step(records: Omit<Step, 'truth'>): void {
    this.steps.push({ ...records, truth: this.#truth })
  }
}

function found({ view }: { view: InvocationView }, id: string): Truth | undefined {
  const shown = view.get(id)
  if (!shown) return undefined
  const { attempts, directive, endedAtMs, failure, generation, nextAttemptAtMs, response, state } = shown
  checkRest(id, shown)
  checkWaiting(view, shown)
  return {
    ...{ state, generation, dueMs: nextAttemptAtMs, endedAtMs, failure },
    attempts: attempts.map((one) => `${one.generation}/${one.attempt}: ${one.status}`),
    response: response && view.response(id)?.body.toString(),
    asked: directive && `${directive.kind}${directive.isDone ? ', done' : ''}`,
  }
}

/** What does not change. */
function checkRest(id: string, { correlationId, createdAtMs, instruction, method, target }: Invocation): void {
  const call = callOf(id)
  assert.deepEqual(
    { correlationId, createdAtMs, method, target },
    { correlationId: `of ${id}`, createdAtMs: NOW_MS, method: call.method, target: call.target },
  )
  assert.equal(instruction?.bodyBytes, call.body.length)
}

/** What a directive would be about is known as long as it goes on. */
function checkWaiting(view: InvocationView, { endedAtMs, id, nextAttemptAtMs }: Invocation): void {
  const waiting = view.waiting(id)
  assert.equal(waiting === undefined, endedAtMs !== undefined)
  if (!waiting) return
  const { attempt, body, generation, notBeforeMs } = decodeCall(waiting.record, ORIGIN).call
  assert.deepEqual([generation, attempt, String(body)], [waiting.generation, waiting.attempt, `body of ${id}`])
  assert.equal(waiting.dueMs, nextAttemptAtMs)
  if (waiting.dueMs !== undefined) assert.equal(notBeforeMs, waiting.dueMs)
}

const ORIGIN = { log: 'calls', partition: 0, offset: 0, appendedAtMs: NOW_MS }
const EMPTY: Truth = {
  state: 'queued',
  generation: 1,
  attempts: [],
  dueMs: undefined,
  endedAtMs: undefined,
  failure: undefined,
  response: undefined,
  asked: undefined,
}
const LOGS = ['calls', 'journal', 'control'] as const
const worlds = fc.record({
  plans: fc.array(plans, { minLength: 1, maxLength: 4 }),
  /** In which order the logs are read, and how much at once. */
  reads: fc.array(fc.record({ log: fc.constantFrom(...LOGS), count: fc.integer({ min: 1, max: 9 }) }), {
    maxLength: 30,
  }),
  order: fc.shuffledSubarray([...LOGS], { minLength: 3 }),
})

t.test('lives of invocations', async (t) => {
  const { view } = openView(t)
  await holds(t, 'what is shown is what happened', 300, worlds, async ({ order, plans, reads }) => {
    await view.clear()
    const lives = plans.map((plan, index) => ({
      id: `order:${index}`,
      steps: new Life(`order:${index}`, plan).steps.slice(0, plan.cut + 1),
    }))
    const logs = Object.fromEntries(
      LOGS.map((log) => [log, lives.flatMap(({ steps }) => steps.flatMap((step) => step[log] ?? []))]),
    )
    const feeder = new Feeder(view)
    for (const { count, log } of [...reads, ...order.map((log) => ({ log, count: Number.POSITIVE_INFINITY }))]) {
      await feeder.apply({ [log]: logs[log]?.splice(0, count) ?? [] })
    }
    for (const { id, steps } of lives) {
      assert.deepEqual(found({ view }, id), { ...EMPTY, ...steps.at(-1)?.truth })
    }
    assert.equal(view.counts().accepted, lives.length)
  })
})
