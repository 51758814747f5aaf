import type { Log } from '@posthaste/core'
import { type Checkpoint, type CheckpointStore, type Claim, NEW_CHECKPOINT, type Saved } from '@posthaste/storage'
import { type KV, NatsError } from 'nats'
import { Connection } from './connection.js'
import { startFault, unavailable } from './faults.js'
import type { NatsConnectionOptions } from './options.js'
import { codeOf } from './provision.js'
import { encodeToken } from './turn-text.js'

const WRONG_LAST_SEQUENCE = 10071

/** Checkpoints in a bucket of NATS: one value for each key, epoch and checkpoint together, changed by compare-and-set. */
export class NatsCheckpointStore implements CheckpointStore {
  readonly machines = true
  readonly #connection: Connection
  readonly #bucket: KV

  /** @throws PosthasteError `stream-unfit` with the remedy, or `stream-unavailable` */
  static async open(options: NatsConnectionOptions & { readonly log: Log }): Promise<NatsCheckpointStore> {
    let connection: Connection | undefined
    try {
      connection = await Connection.open(options, options.log)
      const name = `${options.prefix}-checkpoints`
      // Only the leader knows for sure what was written last.
      const settings = { history: 1, replicas: options.replicas ?? 1, allow_direct: false }
      const bucket = await connection.nats.jetstream().views.kv(name, settings)
      return new NatsCheckpointStore(connection, bucket)
    } catch (error) {
      await connection?.close()
      throw startFault(error)
    }
  }

  private constructor(connection: Connection, bucket: KV) {
    this.#connection = connection
    this.#bucket = bucket
  }

  async claim(key: string): Promise<Claim> {
    for (;;) {
      const { epoch, checkpoint, revision } = await this.#load(key)
      const next = epoch + 1
      if (await this.#put(key, { epoch: next, checkpoint }, revision)) return { epoch: next, checkpoint }
    }
  }

  async save(key: string, epoch: number, checkpoint: Checkpoint): Promise<Saved> {
    for (;;) {
      const found = await this.#load(key)
      if (found.epoch !== epoch) return 'refused'
      // Another save of this owner may have come between.
      if (await this.#put(key, { epoch, checkpoint }, found.revision)) return 'saved'
    }
  }

  async read(key: string): Promise<Checkpoint> {
    return (await this.#load(key)).checkpoint
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  async #load(key: string): Promise<Stored & { readonly revision: number }> {
    const entry = await this.#ask(this.#bucket.get(encodeToken(key)))
    if (entry?.operation !== 'PUT') return { ...UNTOUCHED, revision: entry?.revision ?? 0 }
    return { ...entry.json<Stored>(), revision: entry.revision }
  }

  /** Whether it was written: not if the key has changed since `revision`. */
  async #put(key: string, stored: Stored, revision: number): Promise<boolean> {
    const value = Buffer.from(JSON.stringify(stored))
    try {
      await this.#bucket.put(encodeToken(key), value, { previousSeq: revision })
      return true
    } catch (error) {
      if (codeOf(error) === WRONG_LAST_SEQUENCE) return false
      throw asUnavailable(error)
    }
  }

  #ask<T>(answer: Promise<T>): Promise<T> {
    return answer.catch((error: unknown) => {
      throw asUnavailable(error)
    })
  }
}

interface Stored {
  /** 0 before the first claim. */
  readonly epoch: number
  readonly checkpoint: Checkpoint
}

const UNTOUCHED: Stored = { epoch: 0, checkpoint: NEW_CHECKPOINT }

function asUnavailable(error: unknown): unknown {
  return error instanceof NatsError ? unavailable(`NATS does not take the checkpoint: ${error.message}.`, error) : error
}
