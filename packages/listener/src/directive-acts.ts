import { type Call, type Directive, decodeJournalEntry, keptUntilMs } from '@posthaste/core'
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
import { type Stamp, turnOf } from './effects.js'
import type { ListenerOptions } from './listener-options.js'
import type { Tally } from './tally.js'

/** How many are acted on at once. */
const SOME = 500
/** What was in hand, or elsewhere, is looked at again after this time. */
const AGAIN_MS = 1_000
const STOP_MS = 5_000

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
    const { attempt, nextAttemptAtMs, state } = decodeJournalEntry(acted)
    if (directive.kind === 'cancel' && state === 'retrying') {
      const untilMs = keptUntilMs(this.#stamp.atMs, nextAttemptAtMs, directive)
      return this.#actOn({ ...directive, attempt: attempt + 1, untilMs })
    }
    // A record that was moved before may still come: so the directive is not taken away.
    return this.#conclude(state === 'cancelled' ? after : tooLate(directive))
  }

  #effectsOf(directive: Directive): Effects | undefined {
    const call = callOf(directive)
    if (directive.kind === 'move') return call && moveEffects(call, directive, this.#stamp)
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
