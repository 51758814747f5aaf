import type { NewRecord, Turn } from '@posthaste/stream'
import type { Connection } from './connection.js'
import { mayPass, Taken, unavailable } from './faults.js'
import { journalMessage } from './message.js'
import type { Naming } from './naming.js'
import type { Publisher } from './publisher.js'

const RETRY_MS = 250
const FOUND_NOTHING = 404

/** Tells which completion of a turn counts: the one whose entry comes first. */
export class Journal {
  readonly #connection: Connection
  readonly #naming: Naming
  readonly #publisher: Publisher

  constructor(connection: Connection, naming: Naming, publisher: Publisher) {
    this.#connection = connection
    this.#naming = naming
    this.#publisher = publisher
  }

  /**
   * Writes entries, of which the first decides for its turn. Resolves with the one that was there before, if there is:
   * then nothing is written. Tries until `givenUp` aborts.
   */
  async decide(records: readonly NewRecord[], givenUp: AbortSignal): Promise<Uint8Array | undefined> {
    const [first, ...others] = records
    if (!first) return undefined
    const message = journalMessage(this.#naming, first, true)
    let mayBeThere = false
    const before = await untilDone(this.#connection, givenUp, async () => {
      try {
        await this.#publisher.publish(message)
        return undefined
      } catch (error) {
        if (!(error instanceof Taken)) {
          mayBeThere = true
          throw error
        }
        const found = await this.#findSurely(first)
        // A try that nobody answered may have been stored all the same: then it is ours.
        return mayBeThere && Buffer.compare(found, first.value) === 0 ? undefined : found
      }
    })
    if (before) return before
    if (others.length > 0) {
      const more = others.map((record) => journalMessage(this.#naming, record))
      await untilDone(this.#connection, givenUp, () => this.#publisher.publishAll(more))
    }
    return undefined
  }

  /** The first entry of a turn. */
  async find(turn: Turn): Promise<Uint8Array | undefined> {
    const query = JSON.stringify({ seq: 1, next_by_subj: this.#naming.journalSubject(turn) })
    const api = `$JS.API.DIRECT.GET.${this.#naming.stream('journal')}`
    const answer = await this.#connection.request(api, Buffer.from(query))
    const code = answer.headers?.code ?? 0
    if (code === FOUND_NOTHING) return undefined
    if (code !== 0) throw unavailable(`The NATS journal cannot be read: ${answer.headers?.description}.`)
    return Buffer.from(answer.data)
  }

  /** The entry that was in the way. The replica that answers may not have it yet. */
  async #findSurely(turn: Turn): Promise<Uint8Array> {
    const found = await this.find(turn)
    if (!found) throw unavailable('The NATS journal is behind.')
    return found
  }
}

/** What was to be done until it is done was given up. */
export class GivenUp extends Error {}

/** Does `step` until it succeeds, or fails for good, or `givenUp` aborts. */
export async function untilDone<T>(connection: Connection, givenUp: AbortSignal, step: () => Promise<T>): Promise<T> {
  for (;;) {
    if (givenUp.aborted || connection.isClosed) throw new GivenUp('It was given up.')
    try {
      if (connection.isWhole) return await step()
    } catch (error) {
      if (!mayPass(error)) throw error
    }
    await connection.change(RETRY_MS)
  }
}
