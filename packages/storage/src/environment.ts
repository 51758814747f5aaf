import { mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { PosthasteError } from '@posthaste/core'
import { type Database, type Key, open, type RootDatabase } from 'lmdb'
import { checkHeader } from './file-header.js'
import { type Room, RoomGauge } from './room.js'

/** Address space set aside for the data file; the file itself only grows as it is filled. */
const MAP_BYTES = 256 * 1024 ** 3

/** How often what killed processes left behind is looked for. */
const READER_CHECK_EVERY_MS = 5_000

/** Data and lock file hold what clients sent, secrets included. The types of the library lack this option. */
const OWNER_ONLY: object = { permissionsMode: 0o600 }

/** A table of an environment: binary values under ordered keys. */
export type Table<K extends Key> = Database<Buffer, K>

export interface EnvironmentOptions {
  /** The data directory; made if it is missing. It and the files in it are made readable by their owner alone. */
  readonly directory: string
  /** Free bytes that `takeRoom` leaves untouched, so that what was accepted can be worked off on a full disk. */
  readonly reserveBytes: number
  /** Its name in the directory; `posthaste.lmdb` if left out. Each file has one writer at a time. */
  readonly file?: string
}

/**
 * One LMDB environment, shared by everything that keeps its state in one file of a data directory. Several processes may
 * open the same file, and several threads of one; a thread opens it once, for a second writer would wait for the first.
 * Writes go through `commit`, which groups what is asked for at one time into one transaction and one fsync.
 */
export class Environment {
  readonly directory: string
  readonly #root: RootDatabase
  readonly #gauge: RoomGauge
  readonly #readerCheck: NodeJS.Timeout
  #waiting: Work[] = []
  #committing: Promise<void> | undefined
  #closed = false

  /** @throws PosthasteError `stream-unfit` if the file is none of LMDB */
  constructor(options: EnvironmentOptions) {
    this.directory = options.directory
    mkdirSync(options.directory, { recursive: true, mode: 0o700 })
    const path = join(options.directory, options.file ?? 'posthaste.lmdb')
    checkHeader(path)
    this.#root = open({
      path,
      noSubdir: true,
      mapSize: MAP_BYTES,
      maxDbs: 32,
      // A commit is then durable when it is visible, and one that cannot be made durable is not visible at all.
      overlappingSync: false,
      // `commit` groups writes itself.
      eventTurnBatching: false,
      ...OWNER_ONLY,
    })
    // A process that was killed while it read would keep every page freed since from being used again.
    this.#readerCheck = setInterval(() => this.#root.readerCheck(), READER_CHECK_EVERY_MS).unref()
    this.#gauge = new RoomGauge(options.directory, options.reserveBytes, () => this.#root.getStats())
  }

  /** Opens a table with keys in JavaScript's order of numbers, strings and arrays of these. Values are bytes. */
  table<K extends Key>(name: string): Table<K> {
    return this.#open(name, 'ordered-binary')
  }

  /** Opens a table with bytes as keys, in their order. */
  byteTable(name: string): Table<Buffer> {
    return this.#open(name, 'binary')
  }

  /**
   * Runs `work` in a write transaction with whatever else waits to be written, and resolves with its result once the
   * transaction is on disk. `work` is synchronous; reads in it see what was written before it. If anything in the
   * transaction fails, all of it is undone and every promise rejects.
   * @throws PosthasteError `stream-full` if the disk or the map is full, `stream-unavailable` for other faults of the disk
   */
  commit<T>(work: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new PosthasteError('stopping', 'The data directory is closed.'))
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run: work, resolve: resolve as (value: unknown) => void, reject })
      this.#committing ??= this.#commitAll()
    })
  }

  /** Makes what other processes wrote visible to the reads that follow. */
  refresh(): void {
    this.#root.resetReadTxn()
  }

  /** Takes room for `bytes` more to be written and returns true, or returns false if that would touch the reserve. */
  takeRoom(bytes: number): boolean {
    return this.#gauge.take(bytes)
  }

  /** Whether so much of the reserve is used up that nothing should be begun which has to be recorded. */
  isNearlyFull(): boolean {
    return this.#gauge.isLow()
  }

  room(): Room {
    return this.#gauge.measure()
  }

  /** Waits for what is being written, then closes. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    while (this.#committing) await this.#committing
    clearInterval(this.#readerCheck)
    await this.#root.close()
  }

  #open<K extends Key>(name: string, keyEncoding: 'ordered-binary' | 'binary'): Table<K> {
    const table = this.#root.openDB<Buffer, K>(name, { encoding: 'binary', keyEncoding })
    this.#gauge.watch(name, () => table.getStats())
    return table
  }

  async #commitAll(): Promise<void> {
    // A turn later, so that what is asked for in one turn of the event loop shares a transaction.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      await this.#commitGroup(group)
    }
    this.#committing = undefined
  }

  async #commitGroup(group: readonly Work[]): Promise<void> {
    const results: unknown[] = []
    try {
      await this.#root.childTransaction(() => {
        for (const work of group) results.push(work.run())
      })
    } catch (error) {
      const reason = await translate(error, this.directory)
      for (const work of group) work.reject(reason)
      return
    }
    group.forEach((work, index) => {
      work.resolve(results[index])
    })
  }
}

interface Work {
  run(): unknown
  resolve(value: unknown): void
  reject(reason: unknown): void
}

const EIO = 5
const ENOSPC = 28
const EDQUOT = 122
const MDB_MAP_FULL = -30792

/** LMDB reports a failed commit with a promise of its cause; what `work` threw passes as it is. */
async function translate(error: unknown, directory: string): Promise<unknown> {
  const pending = (error as { commitError?: Promise<never> }).commitError
  const cause = pending ? await pending.catch((reason: unknown) => reason) : error
  const code = (cause as { code?: unknown }).code
  if (typeof code !== 'number') return cause
  // LMDB calls a write that was cut short, which is how a disk fills up, an input/output error.
  const isCutShort = code === EIO && isFull(directory)
  if (code === ENOSPC || code === EDQUOT || code === MDB_MAP_FULL || isCutShort) {
    return new PosthasteError('stream-full', 'The disk of the data directory is full.', { cause })
  }
  return new PosthasteError(
    'stream-unavailable',
    `The data directory cannot be written: ${(cause as Error).message}.`,
    { cause },
  )
}

function isFull(directory: string): boolean {
  try {
    return statfsSync(directory).bavail === 0
  } catch {
    // A disk that fails altogether does not tell.
    return false
  }
}
