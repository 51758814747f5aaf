import type { CheckpointStorage, CheckpointStoreHarness } from '@posthaste/storage/contract'
import { KafkaCheckpointStore } from '../src/kafka-checkpoint-store.js'
import { KafkaStorage, optionsFor } from './kafka-harness.js'

export const checkpointHarness: CheckpointStoreHarness = { create: async () => new KafkaCheckpointStorage() }

class KafkaCheckpointStorage implements CheckpointStorage {
  readonly #storage = new KafkaStorage()
  readonly #stores: KafkaCheckpointStore[] = []

  async open(): Promise<KafkaCheckpointStore> {
    const store = await KafkaCheckpointStore.open(optionsFor(this.#storage.prefix))
    this.#stores.push(store)
    return store
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.splice(0).map((store) => store.close()))
  }

  destroy(): Promise<void> {
    return this.#storage.destroy()
  }
}
