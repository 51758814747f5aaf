import {
  type Call,
  type Clock,
  type Directive,
  type DirectiveKind,
  directiveKey,
  encodeCall,
  encodeDirective,
  expiryMsOf,
  keptUntilMs,
  LIMITS,
  nextDirectiveNumber,
  PosthasteError,
  prevails,
} from '@posthaste/core'
import type { ViewDoor } from './accepter-options.js'
import { type Intake, readCall } from './intake.js'
import { leavesAsMuch } from './share.js'

const UPHOLD_EVERY_MS = 1_000

const NONE = new Uint8Array(0)

/** An invocation or a schedule, and whose it is. */
export interface Whose {
  readonly id: string
  readonly tenant: string
}

/** What is asked of an invocation, with the call that it waits for, if that is known. */
export interface Draft {
  readonly directive: Directive
  readonly call: Call | undefined
}

/** What users ask of invocations that go on, on its way to the listeners. */
export class Directives {
  readonly #view: ViewDoor
  readonly #intake: Intake
  readonly #clock: Clock
  /** Listeners keep in memory what was asked. */
  readonly #standingMax: number

  constructor(view: ViewDoor, intake: Intake, clock: Clock, standingMax: number = LIMITS.pendingChangesMax) {
    this.#view = view
    this.#intake = intake
    this.#clock = clock
    this.#standingMax = standingMax
  }

  /** A directive for the turn that an invocation of a tenant waits for now; undefined if it does not go on. */
  draft({ id, tenant }: Whose, kind: DirectiveKind, dueMs?: number): Draft | undefined {
    const turn = this.#view.waiting(id)
    if (!turn) return undefined
    const call = callOf(turn.record)
    const nowMs = this.#clock.now()
    const standing = this.#view.directive(id)
    const last = standing?.generation === turn.generation ? standing : undefined
    const directive: Directive = {
      id,
      ...(tenant !== '' && { tenant }),
      generation: turn.generation,
      attempt: turn.attempt,
      kind,
      number: nextDirectiveNumber(nowMs, Math.max(standing?.number ?? 0, call?.move ?? 0), Math.random()),
      askedAtMs: nowMs,
      ...(dueMs !== undefined && { dueMs }),
      isDone: false,
      untilMs: keptUntilMs(nowMs, turn.dueMs, last),
      record: call ? encodeCall(call) : NONE,
    }
    return { directive, call }
  }

  /** From when on a call is not made any more, as far as that is known here. */
  expiryMsOf(call: Call): number {
    return expiryMsOf(call, call.retry?.maxAgeMs ?? this.#intake.maxAgeMs)
  }

  /** The cancellation that stands of what a directive is about. */
  cancellationOf({ generation, id }: Pick<Directive, 'generation' | 'id'>): Directive | undefined {
    const standing = this.#view.directive(id)
    return standing?.kind === 'cancel' && standing.generation === generation ? standing : undefined
  }

  /**
   * Resolves once they, all of one tenant, are durable: listeners will act on them.
   * @throws PosthasteError `overloaded`, or of the stream
   */
  async append(directives: readonly Directive[]): Promise<void> {
    if (directives.length === 0) return
    const { own, others } = this.#view.directivesOf(directives[0]?.tenant ?? '')
    if (!leavesAsMuch(own + directives.length, others, this.#standingMax))
      throw new PosthasteError('overloaded', 'Too many changes of invocations are looked out for; no more are taken.')
    await this.#write(directives)
  }

  async #write(directives: readonly Directive[]): Promise<void> {
    const records = directives.map((directive) => ({ key: directiveKey(directive), value: encodeDirective(directive) }))
    await this.#intake.append('control', records)
  }

  /**
   * Appends once more what counts of an invocation, unless it is done: this directive, or one that prevails over it. The
   * log keeps the last record of a kind alone: another move of the same moment may have taken its place unread.
   */
  async uphold(directive: Directive): Promise<void> {
    const standing = this.#view.directive(directive.id)
    const counting = standing && prevails(standing, directive) ? standing : directive
    if (!counting.isDone) await this.#write([counting])
  }

  /** Waits, with `until`, for what becomes of a directive, and upholds it meanwhile. */
  async upholdUntil<T>(directive: Directive, until: () => Promise<T>): Promise<T> {
    // What cannot be appended now was appended before, and is again in a moment.
    const upholding = setInterval(() => void this.uphold(directive).catch(() => undefined), UPHOLD_EVERY_MS)
    try {
      return await until()
    } finally {
      clearInterval(upholding)
    }
  }
}

function callOf(record: Uint8Array): Call | undefined {
  try {
    return record.length > 0 ? readCall(record) : undefined
  } catch {
    // A listener that has the call can act all the same.
    return undefined
  }
}
