import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@posthaste/core'
import type { Completed } from '@posthaste/stream'
import type { Completion } from './completion.js'

const RETRY_WRITE_MS = 250
/** How long `end` goes on trying to write what is completed. */
const END_WRITE_MS = 5_000

/** Whoever writes what a loop has gathered. */
export interface GroupWriter {
  readonly isLost: boolean
  /**
   * Writes all of it in one transaction, and moves what is due if `fire`. Resolves false, having written nothing, if all
   * of it is lost.
   */
  commit(group: readonly Completion[], fire: boolean): Promise<boolean>
  lose(): void
  /** It is known what became of the group. */
  settled(group: readonly Completion[]): void
}

/** Writes what is to be written, a transaction at a time: what comes meanwhile shares the next one. */
export class CompletionLoop {
  readonly #writer: GroupWriter
  readonly #log: Log
  #waiting = new Group()
  #firing: (() => void)[] = []
  #writing: Promise<void> | undefined
  #ending = false

  constructor(writer: GroupWriter, log: Log) {
    this.#writer = writer
    this.#log = log
  }

  get isEnding(): boolean {
    return this.#ending
  }

  /** Resolves when it is written: for all that share a transaction with one promise. */
  write(completion: Completion): Promise<Completed> {
    this.#waiting.completions.push(completion)
    this.#start()
    return this.#waiting.settled
  }

  /** Resolves when some of what is due was moved. */
  fire(): Promise<void> {
    return new Promise<void>((done) => {
      this.#firing.push(done)
      this.#start()
    })
  }

  /** What waits is lost. */
  drop(): void {
    this.#takeGroup().settle('lost')
    for (const done of this.#firing.splice(0)) done()
  }

  /** Resolves when all is written, or cannot be. */
  async end(): Promise<void> {
    this.#ending = true
    while (this.#writing) await this.#writing
  }

  #start(): void {
    this.#writing ??= this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    // A turn later, so that what completes in one turn of the event loop shares a transaction.
    await Promise.resolve()
    try {
      while (this.#waiting.completions.length > 0 || this.#firing.length > 0) {
        const group = this.#takeGroup()
        const firing = this.#firing.splice(0)
        await this.#writeUntilDone(group, firing.length > 0)
        for (const done of firing) done()
      }
    } finally {
      // In one go with the last look at what waits: what comes a moment later starts the loop again.
      this.#writing = undefined
    }
  }

  /**
   * A group that fails is tried again before any other is written: its records count as completed in the prefix, which
   * the next checkpoint would save.
   */
  async #writeUntilDone(group: Group, fire: boolean): Promise<void> {
    const giveUpMs = performance.now() + END_WRITE_MS
    for (;;) {
      try {
        const held = await this.#writer.commit(group.completions, fire)
        if (!held) this.#writer.lose()
        return this.#settle(group, held ? 'done' : 'lost')
      } catch (error) {
        const records = group.completions.length
        this.#log.error({ err: error, records }, 'what was called cannot be recorded; trying again')
        if (this.#writer.isLost || (this.#ending && performance.now() > giveUpMs)) {
          this.#writer.lose()
          return this.#settle(group, 'lost')
        }
        await sleep(RETRY_WRITE_MS)
      }
    }
  }

  #settle(group: Group, completed: Completed): void {
    group.settle(completed)
    this.#writer.settled(group.completions)
  }

  #takeGroup(): Group {
    const group = this.#waiting
    this.#waiting = new Group()
    return group
  }
}

/** Completions that go into one transaction. */
class Group {
  readonly completions: Completion[] = []
  readonly settled: Promise<Completed>
  settle: (completed: Completed) => void = () => undefined

  constructor() {
    this.settled = new Promise((settle) => {
      this.settle = settle
    })
  }
}
