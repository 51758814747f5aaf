import {
  type Call,
  type Clock,
  type Directive,
  type DirectiveKind,
  decideVerdict,
  decodeDirective,
  directiveKey,
  keptUntilMs,
  prevails,
  readDirectiveKey,
} from '@posthaste/core'
import type { StoredRecord } from '@posthaste/stream'

/** Those who may all act are apart by up to this share of the time that they wait before. */
const SPREAD = 1 / 8

/** What is asked of one invocation. */
export interface Asked {
  /** The last one of each kind: each has a place of its own on the log. */
  readonly ofKind: Map<Directive['kind'], Directive>
  /** The one of them that counts. */
  directive: Directive
  /** Not acted on for others before then, by `performance.now()`. */
  actMs: number
  /** Whether it is being acted on: records of the invocation that come meanwhile wait. */
  isBusy: boolean
}

/**
 * What a listener is to do with a record.
 * - `call`: what it would do if nothing had been asked.
 * - `cancel`, `move`, `pause`, `resume`: that.
 * - `drop`: nothing, it is of no use any more.
 * - `wait`: to be asked again soon.
 */
export type Order = 'call' | DirectiveKind | 'drop' | 'wait'

export interface DirectivesOptions {
  readonly clock: Clock
  /** How long after it was read, at the least, a directive is acted on for what is not in hand here. */
  readonly actAfterMs: number
}

/** All directives that were read, under the id of their invocation. */
export class Directives {
  readonly #options: DirectivesOptions
  readonly #all = new Map<string, Asked>()
  /** Those that nobody is known to have acted on. */
  readonly #open = new Map<string, Asked>()
  /** The keys of those that whoever comes later would not find: a record that does not count was written after them. */
  readonly #buried = new Set<string>()

  constructor(options: DirectivesOptions) {
    this.#options = options
  }

  get open(): ReadonlyMap<string, Asked> {
    return this.#open
  }

  find(id: string): Asked | undefined {
    return this.#all.get(id)
  }

  orderFor(call: Call): Order {
    const asked = this.#all.get(call.id)
    if (!asked) return 'call'
    if (asked.isBusy) return 'wait'
    const verdict = decideVerdict(call, asked.directive)
    return verdict === 'over' || verdict === 'moved' ? 'drop' : verdict
  }

  /** Takes note of a record of the control log. @throws PosthasteError `record-unreadable` */
  read({ key, value }: StoredRecord): void {
    if (value.length > 0) this.note(decodeDirective(value))
    else this.#noteEmpty(key)
  }

  /** Takes note of what is asked, or done, of an invocation. */
  note(directive: Directive): void {
    const asked = this.#all.get(directive.id) ?? this.#add(directive)
    const last = asked.ofKind.get(directive.kind)
    if (last && !prevails(directive, last)) {
      this.#buried.add(directiveKey(directive))
      return
    }
    this.#buried.delete(directiveKey(directive))
    asked.ofKind.set(directive.kind, directive)
    this.#weigh(asked)
  }

  /** Puts one that is open behind all others. */
  defer(id: string, actMs: number): void {
    const asked = this.#open.get(id)
    if (!asked) return
    asked.actMs = actMs
    this.#open.delete(id)
    this.#open.set(id, asked)
  }

  /** Some of those that are to be written again. */
  buried(count: number): Directive[] {
    return [...this.#buried].slice(0, count).flatMap((key) => this.#at(key) ?? [])
  }

  /** Forgets some of those whose time is over, and returns what their keys were. */
  forgetSome(count: number): string[] {
    const nowMs = this.#options.clock.now()
    const forgotten: Asked[] = []
    for (const asked of this.#all.values()) {
      if (forgotten.length === count) break
      if (!asked.isBusy && isOver(asked, nowMs)) forgotten.push(asked)
    }
    return forgotten.flatMap((asked) => this.#forget(asked))
  }

  /** Nothing is there any more, or somebody thought too early that its time was over. */
  #noteEmpty(key: string): void {
    const { id, kind } = readDirectiveKey(key)
    const asked = this.#all.get(id)
    if (!asked?.ofKind.has(kind)) return
    if (!isOver(asked, this.#options.clock.now())) this.#buried.add(key)
    else this.#forget(asked)
  }

  #at(key: string): Directive | undefined {
    const { id, kind } = readDirectiveKey(key)
    return this.#all.get(id)?.ofKind.get(kind)
  }

  #add(directive: Directive): Asked {
    const asked = { ofKind: new Map(), directive, actMs: this.#firstActMs(), isBusy: false }
    this.#all.set(directive.id, asked)
    return asked
  }

  /** Finds out which one counts. */
  #weigh(asked: Asked): void {
    const last = asked.directive
    asked.directive = [...asked.ofKind.values()].reduce((one, other) => (prevails(one, other) ? one : other))
    const { id, isDone, number } = asked.directive
    if (number !== last.number) asked.actMs = this.#firstActMs()
    if (isDone) this.#open.delete(id)
    else this.#open.set(id, asked)
  }

  #firstActMs(): number {
    // Not all at the same time: one is enough.
    return performance.now() + this.#options.actAfterMs * (1 + Math.random() * SPREAD)
  }

  /** Returns what its keys were. */
  #forget({ directive: { id }, ofKind }: Asked): string[] {
    const keys = [...ofKind.values()].map(directiveKey)
    for (const key of keys) this.#buried.delete(key)
    this.#all.delete(id)
    this.#open.delete(id)
    return keys
  }
}

/** Whether no record comes any more that anything asked is about. */
function isOver({ directive, ofKind }: Asked, nowMs: number): boolean {
  if (directive.untilMs > nowMs) return false
  // Whoever asked for the last one may not have known of what was done before: to what time it was moved, say.
  return [...ofKind.values()].every(
    (one) => one === directive || Math.max(one.untilMs, keptUntilMs(0, one.dueMs)) <= nowMs,
  )
}
