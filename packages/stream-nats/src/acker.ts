import type { Connection } from './connection.js'
import { GivenUp, untilDone } from './journal.js'

const ACK = Buffer.from('+ACK')

/**
 * Acknowledges messages in groups. The server handles those of one consumer in their order, so its answer to the last
 * one of a group stands for all.
 */
export class Acker {
  readonly #connection: Connection
  readonly #givenUp: AbortSignal
  #group: Group | undefined
  #sending: Promise<void> | undefined

  constructor(connection: Connection, givenUp: AbortSignal) {
    this.#connection = connection
    this.#givenUp = givenUp
  }

  /** Resolves when the server knows; rejects with GivenUp. */
  ack(replySubject: string): Promise<void> {
    this.#group ??= new Group()
    this.#group.subjects.push(replySubject)
    const { settled } = this.#group
    this.#sending ??= this.#sendAll()
    return settled
  }

  async #sendAll(): Promise<void> {
    // A turn later, so that what completes in one turn of the event loop makes one group.
    await Promise.resolve()
    while (this.#group) {
      const group = this.#group
      this.#group = undefined
      try {
        await untilDone(this.#connection, this.#givenUp, () => sendGroup(this.#connection, group.subjects, ACK))
        group.resolve()
      } catch (error) {
        group.reject(error instanceof GivenUp ? error : new GivenUp('It cannot be acknowledged.', { cause: error }))
      }
    }
    this.#sending = undefined
  }
}

/** Sends the same to all of `subjects` and resolves when the server has answered the last. */
export async function sendGroup(connection: Connection, subjects: readonly string[], data: Uint8Array): Promise<void> {
  const last = subjects.at(-1)
  if (last === undefined) return
  for (let index = 0; index < subjects.length - 1; index += 1) connection.publish(subjects[index] as string, data)
  await connection.request(last, data)
}

class Group {
  readonly subjects: string[] = []
  readonly settled: Promise<void>
  resolve: () => void = () => undefined
  reject: (error: Error) => void = () => undefined

  constructor() {
    this.settled = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }
}
