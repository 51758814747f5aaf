import { PosthasteError } from '@posthaste/core'
import { type Msg, nuid } from 'nats'
import type { Connection } from './connection.js'
import { type ApiFault, faultOf, unavailable } from './faults.js'
import type { Message } from './message.js'

/** Rounds on the way at one time: while the server writes one, the next one travels. */
const ROUNDS_MAX = 2
/** From so many messages on a batch is faster: a message costs one sync of the disk, a batch about fifteen. */
const BATCH_MIN = 20
/** The server's limit is 1,000. */
const BATCH_MAX = 500
const BATCH_BYTES_MAX = 4 * 1024 * 1024

/**
 * Publishes to one stream. What comes while others are on the way waits for the next round; a round of many goes as an
 * atomic batch (ADR-50), which the server writes with few syncs, a round of few goes one by one. Order is kept, unless
 * a batch is refused.
 */
export class Publisher {
  readonly #connection: Connection
  #waiting: Outgoing[] = []
  #rounds = 0
  #isScheduled = false
  /** Messages and bytes that wait or are on the way. */
  held = { messages: 0, bytes: 0 }

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /**
   * Resolves when the server has stored it.
   * @throws PosthasteError, or Taken if it was to be the first of its subject and is not
   */
  publish(message: Message): Promise<void> {
    if (!this.#connection.isWhole) return Promise.reject(unavailable('The connection to NATS is lost.'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject })
      this.held.messages += 1
      this.held.bytes += message.data.length
      if (this.#isScheduled) return
      this.#isScheduled = true
      queueMicrotask(() => this.#start())
    })
  }

  /** Resolves when all are stored; rejects, once all have settled, with the first error. */
  async publishAll(messages: readonly Message[]): Promise<void> {
    for (const result of await Promise.allSettled(messages.map((message) => this.publish(message)))) {
      if (result.status === 'rejected') throw result.reason
    }
  }

  #start(): void {
    this.#isScheduled = false
    while (this.#waiting.length > 0 && this.#rounds < ROUNDS_MAX) {
      this.#rounds += 1
      const round = this.#takeRound()
      void this.#send(round).finally(() => {
        this.#rounds -= 1
        for (const { message } of round) {
          this.held.messages -= 1
          this.held.bytes -= message.data.length
        }
        this.#start()
      })
    }
  }

  #takeRound(): Outgoing[] {
    let bytes = 0
    let count = 0
    for (const { message } of this.#waiting) {
      if (count > 0 && (count === BATCH_MAX || bytes + message.data.length > BATCH_BYTES_MAX)) break
      bytes += message.data.length
      count += 1
    }
    return this.#waiting.splice(0, count)
  }

  /** Settles every message of the round; never rejects. */
  async #send(round: readonly Outgoing[]): Promise<void> {
    const together = round.filter(({ message }) => !message.isAlone)
    if (together.length < BATCH_MIN) return this.#sendEach(round)
    const alone = round.filter(({ message }) => message.isAlone)
    await Promise.all([this.#sendTogether(together), this.#sendEach(alone)])
  }

  async #sendEach(round: readonly Outgoing[]): Promise<void> {
    await Promise.all(round.map((outgoing) => this.#sendOne(outgoing)))
  }

  async #sendTogether(round: readonly Outgoing[]): Promise<void> {
    try {
      // If it is refused, because of one of them, nothing of it is stored: then let each speak for itself.
      if (await this.#sendBatch(round)) return await this.#sendEach(round)
      for (const { resolve } of round) resolve()
    } catch (error) {
      if (!(error instanceof PosthasteError)) return this.#sendEach(round)
      for (const { reject } of round) reject(error)
    }
  }

  /** Resolves with why it was refused, or undefined when it is stored. */
  async #sendBatch(round: readonly Outgoing[]): Promise<ApiFault | undefined> {
    const id = nuid.next()
    const last = round.length - 1
    for (let index = 0; index < last; index += 1) {
      const { subject, data, headers } = (round[index] as Outgoing).message
      this.#connection.publish(subject, data, {
        ...headers,
        'Nats-Batch-Id': [id],
        'Nats-Batch-Sequence': [String(index + 1)],
      })
    }
    const { subject, data, headers } = (round[last] as Outgoing).message
    const answer = await this.#connection.request(subject, data, {
      ...headers,
      'Nats-Batch-Id': [id],
      'Nats-Batch-Sequence': [String(last + 1)],
      'Nats-Batch-Commit': ['1'],
    })
    return faultIn(answer)
  }

  async #sendOne({ message, resolve, reject }: Outgoing): Promise<void> {
    try {
      const fault = faultIn(await this.#connection.request(message.subject, message.data, message.headers))
      if (fault) reject(faultOf(fault))
      else resolve()
    } catch (error) {
      reject(error instanceof PosthasteError ? error : asTooLarge(error))
    }
  }
}

interface Outgoing {
  readonly message: Message
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const ERROR_MARK = Buffer.from('"error"')

function faultIn(answer: Msg): ApiFault | undefined {
  const data = Buffer.from(answer.data.buffer, answer.data.byteOffset, answer.data.length)
  // A stream's name might hold the mark, so it only saves reading what is plainly good.
  if (!data.includes(ERROR_MARK)) return undefined
  return (JSON.parse(data.toString()) as { error?: ApiFault }).error
}

/** The library throws for what is larger than the server takes, before anything is sent. */
function asTooLarge(cause: unknown): PosthasteError {
  return new PosthasteError('too-large', `A message cannot be published: ${(cause as Error).message}`, { cause })
}
