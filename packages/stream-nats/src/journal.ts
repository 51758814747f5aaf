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
   * Writes the entries of a completion, of which the first decides for its turn; `taken` if there is one already. Tries
   * until `givenUp` aborts.
   */
  async decide(records: readonly NewRecord[], givenUp: AbortSignal): Promise<'first' | 'taken'> {
    const [first, ...others] = records
    if (!first) return 'first'
    const message = journalMessage(this.#naming, first, true)
    let mayBeThere = false
    const isFirst = await untilDone(this.#connection, givenUp, async () => {
      try {
        await this.#publisher.publish(message)
        return true
      } catch (error) {
        if (!(error instanceof Taken)) {
          mayBeThere = true
          throw error
        }
        // A try that nobody answered may have been stored all the same: then it is ours.
        return mayBeThere && isEqual(await this.find(first), first.value)
      }
    })
    if (!isFirst) return 'taken'
    if (others.length > 0) {
      const more = others.map((record) => journalMessage(this.#naming, record))
      await untilDone(this.#connection, givenUp, () => this.#publisher.publishAll(more))
    }
    return 'first'
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

function isEqual(found: Uint8Array | undefined, wanted: Uint8Array): boolean {
  return found !== undefined && Buffer.compare(found, wanted) === 0
}
