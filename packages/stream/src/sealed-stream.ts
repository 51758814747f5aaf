import { PosthasteError, SEAL_BYTES_MAX, type Sealer } from '@posthaste/core'
import type { ConsumeOptions, Consumer } from './consumer.js'
import type { LogName, NewRecord, StoredRecord } from './record.js'
import { SealedConsumer } from './sealed-consumer.js'
import type { Followed, FollowOptions, Position, Stream, StreamHealth, StreamSupports } from './stream.js'

/**
 * A stream that has nothing but sealed values: they are sealed as they go to it, and opened as they come. What others put
 * there unsealed comes as it is.
 */
export class SealedStream implements Stream {
  readonly #stream: Stream
  readonly #sealer: Sealer

  constructor(stream: Stream, sealer: Sealer) {
    this.#stream = stream
    this.#sealer = sealer
  }

  get supports(): StreamSupports {
    const { supports } = this.#stream
    return { ...supports, recordBytesMax: supports.recordBytesMax - SEAL_BYTES_MAX }
  }

  start(): Promise<void> {
    return this.#stream.start()
  }

  async append(log: LogName, records: readonly NewRecord[]): Promise<void> {
    const { recordBytesMax } = this.supports
    if (records.some(({ value }) => value.length > recordBytesMax))
      throw new PosthasteError('too-large', `A record may have ${recordBytesMax} bytes.`)
    return this.#stream.append(log, sealRecords(this.#sealer, log, records))
  }

  async consume(group: string, options?: ConsumeOptions): Promise<Consumer> {
    return new SealedConsumer(await this.#stream.consume(group, options), this.#sealer)
  }

  /** @throws PosthasteError `sealed`: without its key nothing is passed over */
  async *follow(log: LogName, from: Position | 'start', options?: FollowOptions): AsyncGenerator<Followed> {
    for await (const followed of this.#stream.follow(log, from, options)) {
      yield { ...followed, records: followed.records.map((record) => openRecord(this.#sealer, record)) }
    }
  }

  health(): Promise<StreamHealth> {
    return this.#stream.health()
  }

  clockSkew(): ReturnType<Stream['clockSkew']> {
    return this.#stream.clockSkew()
  }

  stop(): Promise<void> {
    return this.#stream.stop()
  }
}

/** Records as a log has them. An empty value is none. */
export function sealRecords<R extends NewRecord>(sealer: Sealer, log: LogName, records: readonly R[]): R[] {
  return records.map((record) => {
    const { key, value } = record
    return value.length === 0 ? record : { ...record, value: sealer.seal(value, placeOf(log, key)) }
  })
}

/** @throws PosthasteError `sealed` */
export function openRecord(sealer: Sealer, record: StoredRecord): StoredRecord {
  const value = sealer.open(record.value, placeOf(record.log, record.key))
  return value === record.value ? record : { ...record, value }
}

/** The value says itself which turn of its key it is. */
export function placeOf(log: LogName, key: string): string {
  return `${log} ${key}`
}
