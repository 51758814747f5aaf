import type { Begun, Completed, Delivery, Effects, NewRecord, NewTimer, StoredRecord, Turn } from '@posthaste/stream'
import type { Msg } from 'nats'
import { type Marks, readMarks } from './message.js'

/** What a delivery needs of its consumer. */
export interface DeliverySource {
  /** For how long a sign of life keeps a record here, in milliseconds. */
  readonly heldMs: number
  begin(delivery: NatsDelivery, turn: Turn): Begun | Promise<Begun>
  complete(delivery: NatsDelivery, effects: Effects): Promise<Completed>
  /** Writes notes if it can. */
  tell(notes: readonly NewRecord[]): Promise<void>
}

/** A record that the server counts on us to work on. */
export interface InHand {
  readonly record: StoredRecord
  readonly marks: Marks
  /** When it came here; in milliseconds since the Unix epoch. */
  readonly cameAtMs: number
  readonly deliveries: number
  readonly replySubject: string
  readonly extendedAtMs: number
}

/** A record in the hands of a NATS consumer. */
export class NatsDelivery implements Delivery, InHand {
  readonly record: StoredRecord
  /** What is here stays while it gives signs of life. */
  readonly leaving = false
  readonly marks: Marks
  readonly cameAtMs: number
  /** How often the server has delivered it, to whomever. */
  deliveries: number
  /** Where its acknowledgement goes: that of the latest delivery. Changed by its consumer only. */
  replySubject: string
  /** Up to when, at the least, the server counted on us; by `performance.now()`. Changed by its consumer only. */
  extendedAtMs: number
  /** Whether it was delivered here before, and put off. */
  readonly isBack: boolean
  /** Whether somebody has pulled it. Changed by its consumer only. */
  isHandedOut = false
  /** What it is registered under. Changed by its consumer only. */
  turnText: string | undefined
  readonly #source: DeliverySource
  #loss: AbortController | undefined
  #isLost = false
  #completed: Promise<Completed> | undefined
  #told: Promise<void> | undefined

  constructor(inHand: InHand, source: DeliverySource, isBack = false) {
    this.record = inHand.record
    this.marks = inHand.marks
    this.cameAtMs = inHand.cameAtMs
    this.deliveries = inHand.deliveries
    this.replySubject = inHand.replySubject
    this.extendedAtMs = inHand.extendedAtMs
    this.isBack = isBack
    this.#source = source
  }

  get lost(): AbortSignal {
    if (!this.#loss) {
      this.#loss = new AbortController()
      if (this.#isLost) this.#loss.abort()
    }
    return this.#loss.signal
  }

  get isLost(): boolean {
    return this.#isLost
  }

  held(): boolean {
    return !this.#isLost && performance.now() - this.extendedAtMs < this.#source.heldMs
  }

  begin(turn: Turn): Begun | Promise<Begun> {
    return this.#source.begin(this, turn)
  }

  complete(effects: Effects = {}): Promise<Completed> {
    this.#completed ??= this.#source.complete(this, effects)
    return this.#completed
  }

  /** The record stays in work: nothing waits for it, and its sign of life goes on. */
  async checkOut(_watchdog: NewTimer, notes: readonly NewRecord[] = []): Promise<Completed> {
    if (this.#completed) return this.#completed
    if (this.#isLost) return 'lost'
    this.#told ??= this.#source.tell(notes)
    await this.#told
    return 'done'
  }

  /** For its consumer: the next delivery of a record that was in our hands all the time. */
  again(): NatsDelivery {
    return new NatsDelivery(this, this.#source, true)
  }

  /** For its consumer. */
  lose(): void {
    this.#isLost = true
    this.#loss?.abort()
  }
}

/** What came with a message. */
export function readInHand(message: Msg, info: DeliveryInfo, extendedAtMs: number): InHand {
  const marks = readMarks(message.headers)
  return {
    record: {
      log: 'calls',
      partition: 0,
      offset: info.sequence,
      ...(marks.turn ?? { key: '' }),
      // A copy, for the original is a part of all that came with it.
      value: Buffer.from(message.data),
      // A timer is fired a little early, and counts from when it is due.
      appendedAtMs: Math.max(info.storedAtMs, marks.dueMs ?? 0),
    },
    marks,
    cameAtMs: Date.now(),
    deliveries: info.deliveries,
    replySubject: info.replySubject,
    extendedAtMs,
  }
}

/** What the server says of a delivery. */
export interface DeliveryInfo {
  readonly replySubject: string
  readonly deliveries: number
  readonly sequence: number
  readonly storedAtMs: number
}

const SHORT_TOKENS = 9
const NANOS_PER_MS = 1e6

/**
 * Reads an acknowledgement's subject (ADR-15):
 *
 *     $JS.ACK[.<domain>.<account>].<stream>.<consumer>.<deliveries>.<sequence>.<nth>.<time in ns>.<pending>[.<random>]
 */
export function readDeliveryInfo(replySubject: string): DeliveryInfo {
  const tokens = replySubject.split('.')
  const at = tokens.length === SHORT_TOKENS ? 4 : 6
  return {
    replySubject,
    deliveries: Number(tokens[at]),
    sequence: Number(tokens[at + 1]),
    storedAtMs: Math.floor(Number(tokens[at + 3]) / NANOS_PER_MS),
  }
}
