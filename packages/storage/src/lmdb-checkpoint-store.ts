import type { Checkpoint, CheckpointStore, Claim, Saved } from './checkpoint-store.js'
import { NEW_CHECKPOINT } from './checkpoint-store.js'
import type { Environment, Table } from './environment.js'

/** An entry on disk: the epoch as a little-endian double, then the checkpoint as JSON. */
const EPOCH_BYTES = 8

interface Entry {
  readonly epoch: number
  readonly checkpoint: Checkpoint
}

/**
 * Checkpoints in an LMDB environment, for processes on one machine. What stands in the same environment can save a
 * checkpoint in the transaction of what it completes: `claimNow` and `saveNow` are for use inside `Environment.commit`.
 */
export class LmdbCheckpointStore implements CheckpointStore {
  readonly machines = false
  readonly #environment: Environment
  readonly #table: Table<string>

  constructor(environment: Environment) {
    this.#environment = environment
    this.#table = environment.table('checkpoints')
  }

  claim(key: string): Promise<Claim> {
    return this.#environment.commit(() => this.claimNow(key))
  }

  save(key: string, epoch: number, checkpoint: Checkpoint): Promise<Saved> {
    return this.#environment.commit(() => this.saveNow(key, epoch, checkpoint))
  }

  async read(key: string): Promise<Checkpoint> {
    this.#environment.refresh()
    return this.#entry(key).checkpoint
  }

  claimNow(key: string): Claim {
    const { epoch, checkpoint } = this.#entry(key)
    this.#put(key, { epoch: epoch + 1, checkpoint })
    return { epoch: epoch + 1, checkpoint }
  }

  saveNow(key: string, epoch: number, checkpoint: Checkpoint): Saved {
    if (!this.isCurrent(key, epoch)) return 'refused'
    this.#put(key, { epoch, checkpoint })
    return 'saved'
  }

  /** Whether nobody claimed the key after `epoch`. Asked with every transaction: it does not read the checkpoint. */
  isCurrent(key: string, epoch: number): boolean {
    return (this.#table.get(key)?.readDoubleLE(0) ?? 0) === epoch
  }

  #entry(key: string): Entry {
    const bytes = this.#table.get(key)
    if (!bytes) return { epoch: 0, checkpoint: NEW_CHECKPOINT }
    return { epoch: bytes.readDoubleLE(0), checkpoint: JSON.parse(bytes.toString('utf8', EPOCH_BYTES)) as Checkpoint }
  }

  #put(key: string, { epoch, checkpoint }: Entry): void {
    const text = JSON.stringify(checkpoint)
    const bytes = Buffer.allocUnsafe(EPOCH_BYTES + Buffer.byteLength(text))
    bytes.writeDoubleLE(epoch)
    bytes.write(text, EPOCH_BYTES)
    this.#table.putSync(key, bytes)
  }
}
