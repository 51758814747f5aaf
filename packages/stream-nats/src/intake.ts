import { setTimeout as sleep } from 'node:timers/promises'
import { Bell, type PullOptions } from '@posthaste/stream'
import { createInbox, type Msg, nanos, type Subscription } from 'nats'
import { sendGroup } from './acker.js'
import type { Connection } from './connection.js'
import type { NatsDelivery } from './nats-delivery.js'
import { Shelf } from './shelf.js'

/** How long a request stands at the server. Short, so that a member that no longer pulls soon gets nothing. */
const STANDS_MS = 2_000
/** By then the server has told how a request ended. */
const ANSWERED_MS = STANDS_MS + 1_000
/** What nobody has pulled for so long goes to other members. */
const KEEP_MS = 2_000
/** How long a stop waits for what is on its way. */
const DRAIN_MS_MAX = 1_000
/** After the server could not serve a request. */
const PAUSE_MS = 100
/** A timer that comes early by less is a matter of clocks; what is earlier is the listener's to put off again. */
const EARLY_MS_MAX = 2_000
/** So many of them are kept beside what was pulled for; beyond that they take its place. */
const EARLY_RECORDS_MAX = 1_000
const NAK = Buffer.from('-NAK')
const REQUEST_TIMEOUT = 408
const CONFLICT = 409
/** What a message has besides its value. */
const OVERHEAD_BYTES = 16 * 1024

/** What an intake needs of its consumer. */
export interface IntakeOptions {
  readonly connection: Connection
  /** Where pull requests go. */
  readonly api: string
  readonly recordBytesMax: number
  /** Makes a delivery of a message; undefined if it is of a record that is here already. */
  accept(message: Msg): NatsDelivery | undefined
}

/**
 * Asks the server for records and keeps those that nobody has pulled yet. What is asked for and what is kept are
 * together never more than the last pull wanted, but for timers that came early and what was put off and is due.
 */
export class Intake {
  readonly #options: IntakeOptions
  readonly #inbox: string
  readonly #subscription: Subscription
  readonly #bell = new Bell()
  readonly #ignoreChanges: () => void
  /** Come and not pulled yet, in the order in which they came. */
  #kept: NatsDelivery[] = []
  /** Timers that came early by our clock. */
  readonly #early = new Shelf((delivery) => this.keep(delivery))
  /** Records that were asked for and have not come. */
  #askedFor = 0
  #askedAtMs = 0
  #pauseUntilMs = 0
  #pulling = 0
  #pulledAtMs = 0
  #isStopped = false

  constructor(options: IntakeOptions) {
    this.#options = options
    const { nats } = options.connection
    this.#inbox = createInbox()
    this.#subscription = nats.subscribe(this.#inbox, {
      callback: (_, message) => (message.subject === this.#inbox ? this.#hear(message) : this.#receive(message)),
    })
    this.#ignoreChanges = options.connection.onChange(() => this.#reset())
  }

  /** Waits for records as `Consumer.pull` says. */
  async pull(options: PullOptions): Promise<NatsDelivery[]> {
    const untilMs = performance.now() + options.waitMs
    this.#pulling += 1
    try {
      for (;;) {
        if (this.#isStopped || options.signal?.aborted) return []
        const taken = this.#take(options)
        this.#ask(options)
        const nowMs = performance.now()
        if (taken.length > 0 || nowMs >= untilMs) return taken
        await this.#bell.wait(Math.min(untilMs, this.#nextLookMs(nowMs)) - nowMs, options.signal)
      }
    } finally {
      this.#pulling -= 1
      this.#pulledAtMs = performance.now()
    }
  }

  /** Has a record for whoever pulls next. */
  keep(delivery: NatsDelivery): void {
    this.#kept.push(delivery)
    this.#bell.ring()
  }

  /** Gives back what nobody pulls, and returns it. */
  release(): NatsDelivery[] {
    if (this.#pulling > 0 || performance.now() - this.#pulledAtMs < KEEP_MS) return []
    const released = [...this.#kept.splice(0), ...this.#early.clear()]
    // What is lost may be in another's hands, and would be taken from there.
    void this.giveBack(released.filter(({ isLost }) => !isLost))
    return released
  }

  /** Lets others have these at once. */
  async giveBack(deliveries: readonly NatsDelivery[]): Promise<void> {
    const subjects = deliveries.map(({ replySubject }) => replySubject)
    // If it does not arrive, their ack wait ends by itself.
    await sendGroup(this.#options.connection, subjects, NAK).catch(() => undefined)
  }

  /** Ends all pulls. */
  end(): void {
    this.#isStopped = true
    this.#bell.ring()
  }

  /** Resolves when nothing comes any more. */
  async stop(): Promise<void> {
    this.end()
    this.#ignoreChanges()
    // What is on its way still comes.
    if (this.#options.connection.isWhole) await this.#drain()
    else this.#subscription.unsubscribe()
    this.#early.clear()
    this.#kept = []
  }

  async #drain(): Promise<void> {
    const waiting = new AbortController()
    const drained = this.#subscription.drain().catch(() => undefined)
    await Promise.race([drained, sleep(DRAIN_MS_MAX, undefined, { signal: waiting.signal }).catch(() => undefined)])
    waiting.abort()
  }

  #take({ recordsMax, bytesMax }: PullOptions): NatsDelivery[] {
    let bytes = 0
    let count = 0
    if (this.#kept.some(({ isLost }) => isLost)) this.#kept = this.#kept.filter(({ isLost }) => !isLost)
    while (count < this.#kept.length && count < recordsMax && (count === 0 || bytes < bytesMax)) {
      bytes += (this.#kept[count] as NatsDelivery).record.value.length
      count += 1
    }
    return this.#kept.splice(0, count)
  }

  /** Asks for what there is room for, if that is worth a request. */
  #ask({ recordsMax, bytesMax }: PullOptions): void {
    const { connection, api, recordBytesMax } = this.#options
    const nowMs = performance.now()
    if (this.#askedFor > 0 && nowMs - this.#askedAtMs > ANSWERED_MS) this.#askedFor = 0
    const tooManyEarly = Math.max(0, this.#early.size - EARLY_RECORDS_MAX)
    const room = recordsMax - this.#askedFor - this.#kept.length - tooManyEarly
    if (room <= 0 || room < recordsMax / 2 || !connection.isWhole || nowMs < this.#pauseUntilMs) return
    const request = {
      batch: room,
      expires: nanos(STANDS_MS),
      // The server counts what stands around a value too, and sends nothing if the first one alone is more.
      max_bytes: Math.max(bytesMax, recordBytesMax + OVERHEAD_BYTES),
    }
    connection.publish(api, Buffer.from(JSON.stringify(request)), undefined, this.#inbox)
    this.#askedFor += room
    this.#askedAtMs = nowMs
  }

  /** When to look again although nothing came. */
  #nextLookMs(nowMs: number): number {
    if (nowMs < this.#pauseUntilMs) return this.#pauseUntilMs
    return this.#askedFor > 0 ? this.#askedAtMs + ANSWERED_MS + 1 : nowMs + PAUSE_MS
  }

  #receive(message: Msg): void {
    if (this.#askedFor > 0) this.#askedFor -= 1
    const delivery = this.#options.accept(message)
    if (!delivery) return
    const dueMs = delivery.marks.dueMs ?? 0
    const earlyMs = dueMs - Date.now()
    if (earlyMs > 0 && earlyMs < EARLY_MS_MAX) this.#hold(delivery, dueMs)
    else this.keep(delivery)
  }

  /** The server says how a request ended, and how much of it did not come. */
  #hear({ headers }: Msg): void {
    const code = headers?.code ?? 0
    if (code < 400) return
    const left = headers?.get('Nats-Pending-Messages') ?? ''
    if (left !== '' && (code === REQUEST_TIMEOUT || code === CONFLICT)) {
      this.#askedFor = Math.max(0, this.#askedFor - Number(left))
    } else {
      this.#askedFor = 0
      this.#pauseUntilMs = performance.now() + PAUSE_MS
    }
    this.#bell.ring()
  }

  #hold(delivery: NatsDelivery, dueMs: number): void {
    this.#early.put(delivery, dueMs)
    // It has taken a place in the request that others may want.
    if (this.#askedFor === 0) this.#bell.ring()
  }

  /** Requests do not outlive a connection. */
  #reset(): void {
    this.#askedFor = 0
    this.#pauseUntilMs = 0
    this.#bell.ring()
  }
}
