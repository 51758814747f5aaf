import type { Followed, LogName, StoredRecord } from '@posthaste/stream'
import type { Msg, MsgHdrs } from 'nats'
import { createInbox } from 'nats'
import type { Bell } from './bell.js'
import type { Connection } from './connection.js'
import { unavailable } from './faults.js'
import { readMarks } from './message.js'
import type { Naming } from './naming.js'
import { decodeTurn } from './turn-text.js'

const BATCH_RECORDS = 500
const BATCH_BYTES = 4 * 1024 * 1024
const TIMEOUT_MS = 5_000
const NOT_FOUND = 404
const END_OF_BATCH = 204

/** Reads a log from the stream itself, without a consumer: nothing is left behind at the server. */
export class LogReader {
  readonly #connection: Connection
  readonly #naming: Naming
  readonly #log: LogName

  constructor(connection: Connection, naming: Naming, log: LogName) {
    this.#connection = connection
    this.#naming = naming
    this.#log = log
  }

  /**
   * Some records from `sequence` on, in order; none at the end of the log.
   * @throws PosthasteError `stream-unavailable`
   */
  async read(sequence: number): Promise<StoredRecord[]> {
    const messages = await this.#fetch(sequence)
    return messages.map((message) => this.#record(message))
  }

  /** A direct get in batches (ADR-31): as many answers as there are messages, then one that says so. */
  #fetch(sequence: number): Promise<Msg[]> {
    const { nats, isWhole } = this.#connection
    if (!isWhole) return Promise.reject(unavailable('The connection to NATS is lost.'))
    const inbox = createInbox()
    return new Promise((resolve, reject) => {
      const messages: Msg[] = []
      const end = (error?: Error): void => {
        clearTimeout(timer)
        subscription.unsubscribe()
        ignoreChanges()
        if (error) reject(error)
        else resolve(messages)
      }
      const subscription = nats.subscribe(inbox, {
        callback: (_, message) => {
          const code = message.headers?.code ?? 0
          if (code === 0) messages.push(message)
          else if (code === END_OF_BATCH || code === NOT_FOUND) end()
          else end(unavailable(`The NATS stream cannot be read: ${message.headers?.status}.`))
        },
      })
      const timer = setTimeout(() => end(unavailable('NATS did not answer in time.')), TIMEOUT_MS)
      const ignoreChanges = this.#connection.onChange(() => end(unavailable('The connection to NATS is lost.')))
      const query = {
        seq: Math.max(1, sequence),
        batch: BATCH_RECORDS,
        max_bytes: BATCH_BYTES,
        next_by_subj: this.#naming.filter(this.#log),
      }
      const api = `$JS.API.DIRECT.GET.${this.#naming.stream(this.#log)}`
      this.#connection.publish(api, Buffer.from(JSON.stringify(query)), undefined, inbox)
    })
  }

  #record(message: Msg): StoredRecord {
    const headers = message.headers as MsgHdrs
    const turn = this.#log === 'calls' ? readMarks(headers).turn : this.#turnOf(headers.get('Nats-Subject'))
    return {
      log: this.#log,
      partition: 0,
      offset: Number(headers.get('Nats-Sequence')),
      ...(turn ?? { key: '' }),
      value: Buffer.from(message.data),
      appendedAtMs: Date.parse(headers.get('Nats-Time-Stamp')),
    }
  }

  #turnOf(subject: string): ReturnType<typeof decodeTurn> {
    return decodeTurn(subject.slice(this.#naming.journalSubjects.length - 1))
  }
}

/** How often to look for what others wrote. What this process writes wakes it at once. */
const LOOK_EVERY_MS = 50
const AWAY_MS = 250

/** What `follow` needs. */
export interface Following {
  readonly reader: LogReader
  readonly connection: Connection
  readonly bell: Bell
  /** Where to begin, and where to end. */
  readonly from: number
  readonly until: number
  readonly untilEnd: boolean
  readonly signal: AbortSignal
}

export async function* follow(following: Following): AsyncIterable<Followed> {
  const { reader, connection, bell, until, untilEnd, signal } = following
  let next = following.from
  while (next < until && !signal.aborted) {
    let records: StoredRecord[]
    try {
      records = await reader.read(next)
    } catch (error) {
      // Whoever reads to the end wants it all, now.
      if (untilEnd || connection.isClosed) throw error
      await bell.wait(AWAY_MS, signal)
      continue
    }
    const wanted = records.filter(({ offset }) => offset < until)
    const last = wanted.at(-1)
    if (signal.aborted) return
    if (last) {
      next = last.offset + 1
      yield { records: wanted, position: String(next) }
    } else if (untilEnd) return
    else await bell.wait(LOOK_EVERY_MS, signal)
  }
}
