import type { Checkpoint, CheckpointStore, Claim, Saved } from '@posthaste/storage'

/** A store with connections to close. */
export interface OpenCheckpointStore extends CheckpointStore {
  close(): Promise<void>
}

/** A store that is opened when it is first used, and tried again if that fails: it may be away at the start. */
export class CheckpointsOnDemand implements CheckpointStore {
  readonly machines = true
  readonly #open: () => Promise<OpenCheckpointStore>
  #opened: Promise<OpenCheckpointStore> | undefined

  constructor(open: () => Promise<OpenCheckpointStore>) {
    this.#open = open
  }

  async claim(key: string): Promise<Claim> {
    return (await this.#store()).claim(key)
  }

  async save(key: string, epoch: number, checkpoint: Checkpoint): Promise<Saved> {
    return (await this.#store()).save(key, epoch, checkpoint)
  }

  async read(key: string): Promise<Checkpoint> {
    return (await this.#store()).read(key)
  }

  async close(): Promise<void> {
    const store = await this.#opened?.catch(() => undefined)
    await store?.close()
  }

  #store(): Promise<OpenCheckpointStore> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }
}
