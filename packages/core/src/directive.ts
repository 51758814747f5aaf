import { Compile } from 'typebox/schema'
import type { Call } from './call.js'
import { PosthasteError } from './errors.js'
import { formatInstant, parseInstant } from './instant.js'
import { Type } from './json-schema.js'
import { joinLine, splitLine } from './line-record.js'

/**
 * What somebody asked to be done with an invocation that goes on: a record of the control log, under `directiveKey`. Of
 * those for an invocation the one counts that `prevails`. Listeners follow them and look at them before each call. Times
 * in milliseconds since the Unix epoch.
 */
export interface Directive {
  readonly id: string
  /** Whose that invocation is; left out for the operator's own. */
  readonly tenant?: string
  readonly generation: number
  /** The attempt that was waited for when it was asked. A move is of that attempt; anything else, of all from it on. */
  readonly attempt: number
  /** To `pause` or to `resume` is for schedules. */
  readonly kind: DirectiveKind
  /** Grows from one directive of an invocation to the next. */
  readonly number: number
  readonly askedAtMs: number
  /** Of a move: when the attempt is to be made instead. */
  readonly dueMs?: number
  /** Whether a listener has acted on it: what is left is to drop the record that was to come before. */
  readonly isDone: boolean
  /**
   * Of one that is done and changed nothing, because its attempt was being made, or had ended: the least `move` with which
   * a record of that attempt is called all the same. Less than `number`.
   */
  readonly tooLate?: number
  /** When it can be forgotten: no record comes any more that it is about. See `keptUntilMs`. */
  readonly untilMs: number
  /** The record of the call that is waited for, so that a listener can act which does not have it; empty if it is not known. */
  readonly record: Uint8Array
}

export const DIRECTIVE_KINDS = ['cancel', 'move', 'pause', 'resume'] as const
export type DirectiveKind = (typeof DIRECTIVE_KINDS)[number]

const schema = Compile(
  Type.Object({
    v: Type.Integer(),
    id: Type.String(),
    tenant: Type.Optional(Type.String()),
    generation: Type.Integer(),
    attempt: Type.Integer(),
    kind: Type.Enum([...DIRECTIVE_KINDS]),
    number: Type.Integer(),
    askedAt: Type.String(),
    due: Type.Optional(Type.String()),
    done: Type.Optional(Type.Boolean()),
    tooLate: Type.Optional(Type.Integer()),
    until: Type.String(),
    bytes: Type.Integer({ minimum: 0 }),
  }),
)

/** Milliseconds have so many numbers: two directives of one moment differ. */
const NUMBERS_PER_MS = 1_024

/** The number for a directive: larger than `last`, and than what any other process gave out a moment ago. */
export function nextDirectiveNumber(nowMs: number, last: number, random: number): number {
  return Math.max(last + 1, Math.floor(nowMs) * NUMBERS_PER_MS + Math.floor(random * NUMBERS_PER_MS))
}

/** For so long may all listeners be away, and a record that is due meanwhile is still known to be of no use. */
const KEPT_MS = 30 * 86_400_000

/**
 * When a directive can be forgotten that is asked for now. `dueMs` is when the record is due that is waited for, and `last`
 * what was asked before of the same generation: what that was about may still come.
 */
export function keptUntilMs(nowMs: number, dueMs = nowMs, last?: Pick<Directive, 'untilMs'>): number {
  return Math.max(last?.untilMs ?? 0, Math.max(nowMs, dueMs) + KEPT_MS)
}

const NONE = new Uint8Array(0)

/**
 * Under which key a directive stands on the control log: one for each kind. So a move that is asked for at the same moment
 * never takes the place of a cancellation which nobody has read yet.
 */
export function directiveKey({ id, kind }: Pick<Directive, 'id' | 'kind'>): string {
  return kind === 'cancel' ? id : `${id} ${kind}`
}

/** What stands, or stood, under a key of the control log. */
export function readDirectiveKey(key: string): Pick<Directive, 'id' | 'kind'> {
  const kind = DIRECTIVE_KINDS.find((one) => key.endsWith(` ${one}`))
  return kind ? { id: key.slice(0, -1 - kind.length), kind } : { id: key, kind: 'cancel' }
}

/** Whether all that a directive is about was due by now: what is not gone is on its way. */
export function isAllDue({ untilMs }: Directive, nowMs: number): boolean {
  return untilMs <= nowMs + KEPT_MS
}

/**
 * Whether `one` counts rather than `other`, of the same invocation, or as much: that of the later generation, then a
 * cancellation, then the later one, then what is done.
 */
export function prevails(one: Directive, other: Directive): boolean {
  const [ranks, others] = [ranksOf(one), ranksOf(other)]
  const at = ranks.findIndex((rank, index) => rank !== others[index])
  return at < 0 || Number(ranks[at]) > Number(others[at])
}

function ranksOf({ generation, isDone, kind, number }: Directive): number[] {
  return [generation, Number(kind === 'cancel'), number, DIRECTIVE_KINDS.indexOf(kind), Number(isDone)]
}

/**
 * What a directive makes of a record that comes.
 * - `call`: nothing, it is not about it.
 * - `cancel`, `move`, `pause`, `resume`: it is to be done.
 * - `moved`: another record has taken its place.
 * - `over`: its turn has ended, or its generation.
 */
export type Verdict = 'call' | DirectiveKind | 'moved' | 'over'

/** Decides what a directive makes of the record of a call of the same invocation. */
export function decideVerdict(call: Call, directive: Directive): Verdict {
  const { attempt, generation, isDone, kind, number, tooLate = number } = directive
  // What is deleted never goes on.
  if (kind === 'cancel' && call.schedule) return isDone ? 'over' : 'cancel'
  if (call.generation !== generation) return call.generation > generation ? 'call' : 'over'
  if (kind !== 'move') return isDone ? 'over' : kind
  if (call.attempt !== attempt) return call.attempt > attempt ? 'call' : 'over'
  if ((call.move ?? 0) >= tooLate) return 'call'
  return isDone ? 'moved' : 'move'
}

/** Writes a directive as a record: one line of JSON, then the call's record. */
export function encodeDirective(directive: Directive): Uint8Array {
  const { dueMs, isDone, record } = directive
  return joinLine(
    {
      v: 1,
      id: directive.id,
      tenant: directive.tenant,
      generation: directive.generation,
      attempt: directive.attempt,
      kind: directive.kind,
      number: directive.number,
      askedAt: formatInstant(directive.askedAtMs),
      due: dueMs === undefined ? undefined : formatInstant(dueMs),
      done: isDone || undefined,
      tooLate: directive.tooLate,
      until: formatInstant(directive.untilMs),
      bytes: record.length,
    },
    [record],
  )
}

/**
 * Reads a record of the control log.
 * @throws PosthasteError `record-unreadable`
 */
export function decodeDirective(bytes: Uint8Array): Directive {
  const { document, rest } = splitLine(bytes, 'bytes')
  if (!rest || !schema.Check(document)) throw unreadable()
  const { attempt, generation, id, kind, number, tenant } = document
  return {
    id,
    ...(tenant !== undefined && { tenant }),
    generation,
    attempt,
    kind,
    number,
    askedAtMs: readInstant(document.askedAt),
    ...(document.due !== undefined && { dueMs: readInstant(document.due) }),
    isDone: document.done === true,
    ...(document.tooLate !== undefined && { tooLate: document.tooLate }),
    untilMs: readInstant(document.until),
    // One that is empty would keep all that was read with it in memory.
    record: rest.length > 0 ? rest : NONE,
  }
}

function readInstant(text: string): number {
  const ms = parseInstant(text)
  if (ms === undefined) throw unreadable()
  return ms
}

function unreadable(): PosthasteError {
  return new PosthasteError('record-unreadable', 'This is not a directive.')
}
