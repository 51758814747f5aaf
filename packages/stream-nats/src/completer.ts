import { PosthasteError } from '@posthaste/core'
import type { Acted, Effects, LogName, NewRecord, Turn } from '@posthaste/stream'
import { Acker } from './acker.js'
import { GivenUp, untilDone } from './journal.js'
import { callMessage, controlMessage, type Message, noteMessage, timerMessage } from './message.js'
import type { Naming } from './naming.js'
import type { NatsDelivery } from './nats-delivery.js'
import type { NatsParts } from './parts.js'

/**
 * Writes completions: the journal first, whose first entry for a turn decides, then what follows, then the
 * acknowledgement. While the server is away it tries again, until `givenUp` aborts.
 */
export class Completer {
  readonly #parts: NatsParts
  readonly #acker: Acker
  readonly #givenUp: AbortSignal

  constructor(parts: NatsParts, givenUp: AbortSignal) {
    this.#parts = parts
    this.#acker = new Acker(parts.connection, givenUp)
    this.#givenUp = givenUp
  }

  /**
   * Resolves `taken`, and writes nothing, if the turn has an entry already.
   * @throws GivenUp, or PosthasteError `too-large`
   */
  async complete(delivery: NatsDelivery, effects: Effects): Promise<'done' | 'taken'> {
    if (await this.#write(effects)) return 'taken'
    await this.#acker.ack(delivery.replySubject)
    return 'done'
  }

  /**
   * Writes what follows from a turn that is in nobody's hands, or in anybody's: its own record stays where it is.
   * @throws PosthasteError `too-large`
   */
  async act(turn: Turn, effects: Effects): Promise<Acted> {
    try {
      // What brings no entry decides nothing, and may come too late.
      const before = effects.journal?.length ? undefined : await this.#find(turn)
      return before ?? (await this.#write(effects)) ?? 'done'
    } catch (error) {
      if (error instanceof GivenUp) return 'elsewhere'
      throw error
    }
  }

  /** Writes notes of a call that goes on. It does so without them as well. */
  async tell(notes: readonly NewRecord[]): Promise<void> {
    const { log, naming, publishers } = this.#parts
    try {
      await publishers.journal.publishAll(notes.map((note) => noteMessage(naming, note)))
    } catch (error) {
      log.warn({ err: error }, 'what is told of a call cannot be written now')
    }
  }

  #find(turn: Turn): Promise<Uint8Array | undefined> {
    const { connection, journal } = this.#parts
    return untilDone(connection, this.#givenUp, () => journal.find(turn))
  }

  /** Resolves with the entry that the turn has already: then nothing is written. */
  async #write(effects: Effects): Promise<Uint8Array | undefined> {
    this.#checkSizes(effects)
    const before = await this.#parts.journal.decide(effects.journal ?? [], this.#givenUp)
    if (!before) await this.#writeSequels(effects)
    return before
  }

  async #writeSequels({ children = [], timers = [], notes = [], control = [], again = false }: Effects): Promise<void> {
    await this.#publish('calls', timers, timerMessage, again)
    await this.#publish('calls', children, callMessage, again)
    await this.#publish('journal', notes, noteMessage)
    await this.#publish('control', control, controlMessage)
  }

  async #publish<R>(
    log: LogName,
    records: readonly R[],
    messageOf: (naming: Naming, record: R, isCopy: boolean) => Message,
    again = false,
  ): Promise<void> {
    if (records.length === 0) return
    const { connection, naming, publishers } = this.#parts
    let isCopy = again
    await untilDone(connection, this.#givenUp, () => {
      const messages = records.map((record) => messageOf(naming, record, isCopy))
      isCopy = true
      return publishers[log].publishAll(messages)
    })
  }

  #checkSizes({ journal = [], children = [], timers = [], notes = [], control = [] }: Effects): void {
    const { recordBytesMax } = this.#parts
    for (const { value } of [...journal, ...children, ...timers, ...notes, ...control]) {
      if (value.length <= recordBytesMax) continue
      const detail = `A record may have ${recordBytesMax} bytes; one that follows from another has ${value.length}.`
      throw new PosthasteError('too-large', detail)
    }
  }
}
