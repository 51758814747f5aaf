import type { Acted, Consumer, Delivery, Effects, Progress, PullOptions, Turn } from '@posthaste/stream'
import { CompletedPrefix } from '@posthaste/stream'
import { LEASE_MS, type Lease } from './lease.js'
import { Ownership } from './ownership.js'
import type { EmbeddedParts } from './parts.js'

/** How often to look for what other processes wrote. What this process writes, in any thread, wakes it at once. */
const LOOK_EVERY_MS = 5
/** How often a member that stands by looks whether the lease is free. */
const LEASE_LOOK_MS = 100

/**
 * The embedded stream's member of the group: owns all calls while it holds the lease, stands by otherwise.
 */
export class EmbeddedConsumer implements Consumer {
  readonly #parts: EmbeddedParts
  readonly #lease: Lease
  readonly #stopping = new AbortController()
  #ownership: Ownership | undefined
  #taking: Promise<Ownership | undefined> | undefined
  #renewal: NodeJS.Timeout | undefined
  #stopped: Promise<void> | undefined
  #wasFull = false

  constructor(parts: EmbeddedParts, lease: Lease) {
    this.#parts = parts
    this.#lease = lease
  }

  async pull(options: PullOptions): Promise<Delivery[]> {
    const { bell, clock } = this.#parts
    const untilMs = performance.now() + options.waitMs
    for (;;) {
      if (this.#stopping.signal.aborted) return []
      const ownership = this.#canWork() ? await this.#own() : undefined
      if (ownership) {
        // A portion at a time, for there may be very many.
        if (ownership.hasDue) await ownership.fireDue()
        if (this.#stopping.signal.aborted) return []
        const deliveries = ownership.read(options.recordsMax, options.bytesMax)
        if (deliveries.length > 0) return deliveries
      }
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0 || options.signal?.aborted) return []
      const dueInMs = ownership ? Math.max(1, ownership.firstDueMs - clock.now()) : Number.POSITIVE_INFINITY
      const lookMs = ownership ? LOOK_EVERY_MS : LEASE_LOOK_MS
      await bell.wait(Math.min(leftMs, dueInMs, lookMs), options.signal)
    }
  }

  async act(turn: Turn, effects: Effects): Promise<Acted> {
    const ownership = this.#ownership
    if (!ownership || ownership.isLost || this.#stopping.signal.aborted) return 'elsewhere'
    return ownership.act(turn, effects)
  }

  async progress(): Promise<readonly Progress[]> {
    const { clock, environment, logs, timers } = this.#parts
    environment.refresh()
    const { owner, member } = this.#lease.holder()
    // One that was lost knows nothing of what its successor completed.
    const ownership = this.#ownership?.isLost === false ? this.#ownership : undefined
    const committed = ownership?.committed ?? (await this.#lease.lastCheckpoint()).offset
    return [
      {
        partition: 0,
        committed,
        end: logs.calls.end(),
        inFlight: ownership?.inFlight ?? 0,
        overdue: ownership?.hasDue ?? timers.firstDueMs() <= clock.now(),
        owner,
        member,
      },
    ]
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    this.#parts.bell.ring()
    // What is being taken is given back.
    await this.#taking?.catch(() => undefined)
    clearInterval(this.#renewal)
    await this.#ownership?.end()
    try {
      await this.#lease.release()
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'the lease could not be given back; it expires')
    }
  }

  /** On a full disk nothing is delivered whose end could not be recorded: it would be called again and again. */
  #canWork(): boolean {
    const isFull = this.#parts.environment.isNearlyFull()
    if (isFull && !this.#wasFull)
      this.#parts.log.error({}, 'the disk is nearly full: no calls are made until there is room')
    this.#wasFull = isFull
    return !isFull
  }

  #own(): Promise<Ownership | undefined> {
    if (this.#ownership?.isLost === false) return Promise.resolve(this.#ownership)
    this.#taking ??= this.#take().finally(() => {
      this.#taking = undefined
    })
    return this.#taking
  }

  async #take(): Promise<Ownership | undefined> {
    this.#ownership = undefined
    const checkpoint = await this.#lease.take()
    if (!checkpoint) return undefined
    this.#ownership = new Ownership(this.#parts, this.#lease, new CompletedPrefix(checkpoint.offset, checkpoint.beyond))
    this.#renewal ??= setInterval(() => this.#renew(), LEASE_MS / 4)
    return this.#ownership
  }

  #renew(): void {
    const ownership = this.#ownership
    if (!ownership || ownership.isLost) return
    this.#lease.renew().then(
      (held) => {
        if (!held) ownership.lose()
      },
      (error: unknown) => {
        this.#parts.log.warn({ err: error }, "the listener's lease could not be renewed")
      },
    )
  }
}
