import type { LogName, StoredRecord } from '@posthaste/stream'
import { createInbox, type Msg, type MsgHdrs } from 'nats'
import type { Connection } from './connection.js'
import { type ApiFault, unavailable } from './faults.js'
import { readMarks } from './message.js'
import type { Naming } from './naming.js'

const BATCH_RECORDS = 500
const BATCH_BYTES = 4 * 1024 * 1024
const TIMEOUT_MS = 5_000
/** A stream whose leader was lost has none for some seconds, and then nobody answers. */
const LEADER_TIMEOUT_MS = 1_000
const NOT_FOUND = 404
const END_OF_BATCH = 204
const NO_MESSAGE = 10037

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
   * Some records from `sequence` on, in order. None at the end of the log, as far as the replica knows that answers.
   * @throws PosthasteError `stream-unavailable`
   */
  async read(sequence: number): Promise<StoredRecord[]> {
    const messages = await this.#fetch(sequence)
    return messages.map((message) => this.#record(message))
  }

  /**
   * Whether nothing stands at `sequence` or behind it, as the leader of the stream says. Any replica may answer a direct
   * get, and one of several may lag, for as long as its disk or its network is slow: it would say that nothing is there
   * of what was acknowledged seconds ago. The leader has all that was, but for one: a leader that is cut off from the
   * other replicas believes in itself for 10 to 20 seconds, and these may have elected another after 4 to 9. To whoever is
   * connected to it meanwhile it tells an end that is none; what he does cannot be recorded there either.
   * @throws PosthasteError `stream-unavailable`
   */
  async isEnd(sequence: number): Promise<boolean> {
    const query = { seq: sequence, next_by_subj: this.#naming.filter(this.#log) }
    let isEnd = false
    await this.#ask('STREAM.MSG.GET', query, LEADER_TIMEOUT_MS, (answer) => {
      if (answer.headers?.code) throw unavailable('The NATS stream has no leader now.')
      const { error } = answer.json<{ readonly error?: ApiFault }>()
      if (error && error.err_code !== NO_MESSAGE)
        throw unavailable(`The NATS stream is not ready: ${error.description}.`)
      isEnd = error !== undefined
      return true
    })
    return isEnd
  }

  /** A direct get in batches (ADR-31): as many answers as there are messages, then one that says so. */
  async #fetch(sequence: number): Promise<Msg[]> {
    const query = {
      seq: Math.max(1, sequence),
      batch: BATCH_RECORDS,
      max_bytes: BATCH_BYTES,
      next_by_subj: this.#naming.filter(this.#log),
    }
    const messages: Msg[] = []
    await this.#ask('DIRECT.GET', query, TIMEOUT_MS, (answer) => {
      const code = answer.headers?.code ?? 0
      if (code === END_OF_BATCH || code === NOT_FOUND) return true
      if (code !== 0) throw unavailable(`The NATS stream cannot be read: ${answer.headers?.status}.`)
      messages.push(answer)
      return false
    })
    return messages
  }

  /**
   * Asks, and resolves after the answer of which `hear` says that it is the last. Nobody else learns of a silence: it may
   * be that of one stream.
   */
  #ask(api: string, query: object, timeoutMs: number, hear: (answer: Msg) => boolean): Promise<void> {
    const { nats, isWhole } = this.#connection
    if (!isWhole) return Promise.reject(unavailable('The connection to NATS is lost.'))
    const inbox = createInbox()
    return new Promise((resolve, reject) => {
      const end = (error?: unknown): void => {
        clearTimeout(timer)
        subscription.unsubscribe()
        ignoreChanges()
        if (error) reject(error)
        else resolve()
      }
      const subscription = nats.subscribe(inbox, {
        callback: (_, answer) => {
          try {
            if (hear(answer)) end()
          } catch (error) {
            end(error)
          }
        },
      })
      const timer = setTimeout(() => end(unavailable('NATS did not answer in time.')), timeoutMs)
      const ignoreChanges = this.#connection.onChange(() => end(unavailable('The connection to NATS is lost.')))
      const subject = `$JS.API.${api}.${this.#naming.stream(this.#log)}`
      this.#connection.publish(subject, Buffer.from(JSON.stringify(query)), undefined, inbox)
    })
  }

  #record(message: Msg): StoredRecord {
    const headers = message.headers as MsgHdrs
    const marks = readMarks(headers)
    const turn = this.#log === 'journal' ? this.#naming.journalTurn(headers.get('Nats-Subject')) : marks.turn
    return {
      log: this.#log,
      partition: 0,
      offset: Number(headers.get('Nats-Sequence')),
      ...(turn ?? { key: '' }),
      value: Buffer.from(message.data),
      // A timer is fired a little early, and counts from when it is due.
      appendedAtMs: Math.max(Date.parse(headers.get('Nats-Time-Stamp')), marks.dueMs ?? 0),
    }
  }
}
