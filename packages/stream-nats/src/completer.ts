import { PosthasteError } from '@posthaste/core'
import type { Effects } from '@posthaste/stream'
import { Acker } from './acker.js'
import { untilDone } from './journal.js'
import { callMessage, timerMessage } from './message.js'
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
    const { journal = [] } = effects
    this.#checkSizes(effects)
    if ((await this.#parts.journal.decide(journal, this.#givenUp)) === 'taken') return 'taken'
    await this.#writeSequels(effects)
    await this.#acker.ack(delivery.replySubject)
    return 'done'
  }

  async #writeSequels({ children = [], timers = [], again = false }: Effects): Promise<void> {
    if (children.length === 0 && timers.length === 0) return
    const { connection, naming, calls } = this.#parts
    let isCopy = again
    await untilDone(connection, this.#givenUp, () => {
      const messages = [
        ...timers.map((timer) => timerMessage(naming, timer, isCopy)),
        ...children.map((child) => callMessage(naming, child, isCopy)),
      ]
      isCopy = true
      return calls.publishAll(messages)
    })
  }

  #checkSizes({ journal = [], children = [], timers = [] }: Effects): void {
    const { recordBytesMax } = this.#parts
    for (const records of [journal, children, timers]) {
      for (const { value } of records) {
        if (value.length <= recordBytesMax) continue
        const detail = `A record may have ${recordBytesMax} bytes; one that follows from another has ${value.length}.`
        throw new PosthasteError('too-large', detail)
      }
    }
  }
}
