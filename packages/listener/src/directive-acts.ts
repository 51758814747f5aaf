import {
  type Call,
  type Directive,
  decodeJournalEntry,
  encodeCall,
  isTick,
  type JournalEntry,
  keptUntilMs,
  nextTick,
  type Tick,
  type TickCall,
} from '@posthaste/core'
import type { Effects } from '@posthaste/stream'
import {
  callOf,
  cancelEffects,
  cancelUnknownEffects,
  controlRecord,
  done,
  moveEffects,
  tooLate,
  whileRunning,
} from './directive-effects.js'
import type { Asked, Directives } from './directives.js'
import { type Stamp, timerOf, turnOf } from './effects.js'
import type { ListenerOptions } from './listener-options.js'
import type { Tally } from './tally.js'
import { steerTick } from './tick-effects.js'

/** How many are acted on at once. */
const SOME = 500
/** What was in hand, or elsewhere, is looked at again after this time. */
const AGAIN_MS = 1_000
const STOP_MS = 5_000
/** What a tick did that was asked for. */
const DONE_BY: Partial<Record<Directive['kind'], Tick['did']>> = { pause: 'paused', resume: 'resumed' }

/** What a listener has in hand of what is asked about, by the id of the invocation, with the call if it runs. */
export type InHand = ReadonlyMap<string, Call | undefined>

export interface DirectiveActsOptions extends Pick<ListenerOptions, 'clock' | 'consumer' | 'control' | 'log' | 'name'> {
  readonly directives: Directives
  /** Does what is asked of what is in hand, as far as that can be done, and tells what is. */
  readonly settle: (open: ReadonlyMap<string, Asked>) => InHand
  readonly tally: () => Tally
}

/** Acts on directives for what no record in hand is about: it waits for its time, or in line. */
export class DirectiveActs {
  readonly #options: DirectiveActsOptions
  #acting: Promise<void> | undefined
  #again = false
  #stopping = false

  constructor(options: DirectiveActsOptions) {
    this.#options = options
  }

  get isBusy(): boolean {
    return this.#acting !== undefined
  }

  /** Looks for what is to be done. To be called when anything was asked, and now and then. */
  look(): void {
    this.#again = true
    this.#acting ??= this.#actOnAll().finally(() => {
      this.#acting = undefined
    })
  }

  /** Acts on nothing more and waits for what is under way, but not for long. */
  async stop(): Promise<void> {
    this.#stopping = true
    let timer: NodeJS.Timeout | undefined
    const givenUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_MS)
    })
    await Promise.race([this.#acting, givenUp])
    clearTimeout(timer)
  }

  async #actOnAll(): Promise<void> {
    while (this.#again && !this.#stopping) {
      this.#again = false
      const { directives, log, settle } = this.#options
      const chosen = this.#choose(settle(directives.open))
      const results = await Promise.allSettled(chosen.map(([asked, running]) => this.#act(asked, running)))
      const failed = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined
      if (failed) log.warn({ err: failed.reason }, 'what was asked of invocations cannot be done now; trying again')
      // There may be more than those that were chosen. Where all is another's, they have time.
      this.#again ||= results.some((result) => result.status === 'fulfilled' && result.value)
    }
  }

  #choose(inHand: InHand): [Asked, Call | undefined][] {
    const nowMs = performance.now()
    const chosen: [Asked, Call | undefined][] = []
    for (const [id, asked] of this.#options.directives.open) {
      if (chosen.length === SOME) break
      const running = inHand.get(id)
      const isForHand = inHand.has(id) && !(running && asked.directive.kind === 'move')
      if (!asked.isBusy && !isForHand && (running || asked.actMs <= nowMs)) chosen.push([asked, running])
    }
    return chosen
  }

  /** Whether it is done. */
  async #act(asked: Asked, running: Call | undefined): Promise<boolean> {
    const { directive } = asked
    const after = running && whileRunning(directive, running)
    asked.isBusy = true
    try {
      return await (after ? this.#conclude(after) : this.#actOn(directive))
    } finally {
      asked.isBusy = false
      this.#options.directives.defer(directive.id, performance.now() + AGAIN_MS)
    }
  }

  async #actOn(directive: Directive): Promise<boolean> {
    const effects = this.#effectsOf(directive)
    // What is not known here is told by the record when that comes.
    if (!effects) return false
    const after = done(directive)
    const acted = await this.#options.consumer.act(turnOf(directive), { ...effects, control: [controlRecord(after)] })
    if (acted === 'elsewhere') return false
    if (acted === 'done') {
      if (directive.kind === 'cancel') this.#options.tally().cancelled += 1
      this.#options.directives.note(after)
      return true
    }
    const entry = decodeJournalEntry(acted)
    const call = callOf(directive)
    if (call && isTick(call)) return this.#follow(directive, call, entry)
    const { attempt, nextAttemptAtMs, state } = entry
    if (directive.kind === 'cancel' && state === 'retrying') {
      const untilMs = keptUntilMs(this.#stamp.atMs, nextAttemptAtMs, directive)
      return this.#actOn({ ...directive, attempt: attempt + 1, untilMs })
    }
    // A record that was moved before may still come: so the directive is not taken away.
    return this.#conclude(state === 'cancelled' ? after : tooLate(directive))
  }

  /** The tick of which it was asked has ended, so that it is of the one that came of that. */
  async #follow(directive: Directive, tick: TickCall, entry: JournalEntry): Promise<boolean> {
    const { nextAttemptAtMs: dueMs, tick: told } = entry
    const after = done(directive)
    // The schedule has ended.
    if (dueMs === undefined || !told) return this.#conclude(after)
    const next = nextTick(tick, told, dueMs)
    if (told.did !== DONE_BY[directive.kind]) {
      const untilMs = keptUntilMs(this.#stamp.atMs, dueMs, directive)
      const { attempt, generation } = next
      return this.#actOn({ ...directive, generation, attempt, untilMs, record: encodeCall(next) })
    }
    // Whoever did it may not have come to its end.
    const effects = { timers: [timerOf(next, dueMs)], control: [controlRecord(after)] }
    const acted = await this.#options.consumer.act(turnOf(next), effects)
    if (acted === 'elsewhere') return false
    if (acted !== 'done') return this.#conclude(after)
    this.#options.directives.note(after)
    return true
  }

  #effectsOf(directive: Directive): Effects | undefined {
    const { kind } = directive
    const call = callOf(directive)
    if (kind === 'move') return call && moveEffects(call, directive, this.#stamp)
    if (kind !== 'cancel') return call && isTick(call) ? steerTick(call, kind, this.#stamp).effects : undefined
    return call
      ? cancelEffects(call, directive.record, this.#stamp).effects
      : cancelUnknownEffects(directive, this.#stamp)
  }

  /** Nothing follows from that but what the directive says of it. */
  async #conclude(after: Directive): Promise<boolean> {
    await this.#options.control.append('control', [controlRecord(after)])
    this.#options.directives.note(after)
    return true
  }

  get #stamp(): Stamp {
    return { atMs: this.#options.clock.now(), listener: this.#options.name }
  }
}
