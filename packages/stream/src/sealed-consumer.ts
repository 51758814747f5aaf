import { PosthasteError, type Sealer } from '@posthaste/core'
import type {
  Acted,
  Begun,
  Completed,
  Consumer,
  Delivery,
  Effects,
  NewTimer,
  Progress,
  PullOptions,
} from './consumer.js'
import type { NewRecord, StoredRecord, Turn } from './record.js'
import { openRecord, placeOf, sealRecords } from './sealed-stream.js'

/** A consumer of a sealed stream. What it cannot open it delivers sealed: whoever reads that stops there. */
export class SealedConsumer implements Consumer {
  readonly #consumer: Consumer
  readonly #sealer: Sealer

  constructor(consumer: Consumer, sealer: Sealer) {
    this.#consumer = consumer
    this.#sealer = sealer
  }

  async pull(options: PullOptions): Promise<Delivery[]> {
    const deliveries = await this.#consumer.pull(options)
    return deliveries.map((delivery) => new SealedDelivery(delivery, this.#sealer))
  }

  async act(turn: Turn, effects: Effects): Promise<Acted> {
    const acted = await this.#consumer.act(turn, sealEffects(this.#sealer, effects))
    return typeof acted === 'string' ? acted : this.#sealer.open(acted, placeOf('journal', turn.key))
  }

  progress(): Promise<readonly Progress[]> {
    return this.#consumer.progress()
  }

  stop(): Promise<void> {
    return this.#consumer.stop()
  }
}

class SealedDelivery implements Delivery {
  readonly record: StoredRecord
  readonly #delivery: Delivery
  readonly #sealer: Sealer

  constructor(delivery: Delivery, sealer: Sealer) {
    this.record = openIfPossible(sealer, delivery.record)
    this.#delivery = delivery
    this.#sealer = sealer
  }

  get lost(): AbortSignal {
    return this.#delivery.lost
  }

  get leaving(): boolean {
    return this.#delivery.leaving
  }

  get ended(): boolean {
    return this.#delivery.ended ?? false
  }

  held(): boolean {
    return this.#delivery.held()
  }

  begin(turn: Turn): Begun | Promise<Begun> {
    const begun = this.#delivery.begin(turn)
    return typeof begun === 'string' ? begun : this.#opened(turn, begun)
  }

  complete(effects?: Effects): Promise<Completed> {
    return this.#delivery.complete(effects && sealEffects(this.#sealer, effects))
  }

  checkOut(watchdog: NewTimer, notes: readonly NewRecord[] = []): Promise<Completed> {
    const [timer] = sealRecords(this.#sealer, 'calls', [watchdog])
    return this.#delivery.checkOut(timer as NewTimer, sealRecords(this.#sealer, 'journal', notes))
  }

  async #opened(turn: Turn, begun: Uint8Array | Promise<Begun>): Promise<Begun> {
    const known = await begun
    return typeof known === 'string' ? known : this.#sealer.open(known, placeOf('journal', turn.key))
  }
}

function openIfPossible(sealer: Sealer, record: StoredRecord): StoredRecord {
  try {
    return openRecord(sealer, record)
  } catch (error) {
    if (error instanceof PosthasteError) return record
    throw error
  }
}

function sealEffects(sealer: Sealer, effects: Effects): Effects {
  const { children, control, journal, notes, timers } = effects
  return {
    ...effects,
    ...(timers && { timers: sealRecords(sealer, 'calls', timers) }),
    ...(children && { children: sealRecords(sealer, 'calls', children) }),
    ...(journal && { journal: sealRecords(sealer, 'journal', journal) }),
    ...(notes && { notes: sealRecords(sealer, 'journal', notes) }),
    ...(control && { control: sealRecords(sealer, 'control', control) }),
  }
}
