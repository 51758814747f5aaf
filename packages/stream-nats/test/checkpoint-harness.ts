import type { CheckpointStorage, CheckpointStoreHarness } from '@posthaste/storage/contract'
import { NatsCheckpointStore } from '../src/nats-checkpoint-store.js'
import { createPrefix, removeStreams, SERVER, silent } from './nats-harness.js'

export const checkpointHarness: CheckpointStoreHarness = { create: async () => new NatsCheckpointStorage() }

class NatsCheckpointStorage implements CheckpointStorage {
  readonly #prefix = createPrefix()
  readonly #stores: NatsCheckpointStore[] = []

  async open(): Promise<NatsCheckpointStore> {
    const store = await NatsCheckpointStore.open({ servers: SERVER, prefix: this.#prefix, log: silent })
    this.#stores.push(store)
    return store
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.splice(0).map((store) => store.close()))
  }

  async destroy(): Promise<void> {
    await removeStreams(this.#prefix)
  }
}
