import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '@posthaste/core'
import { Environment, InvocationView, LmdbCheckpointStore } from '@posthaste/storage'
import type { Stream } from '@posthaste/stream'
import { EmbeddedStream } from '@posthaste/stream-embedded'
import type { Test } from 'tap'
import { createLogger, ViewFeed } from '../src/index.js'

/** How long the journal of a setting is kept. */
export const HOUR_MS = 3_600_000
const FOR_EVER = { ageMs: 1e12, bytes: 1e15, claimAgeMs: 1e12 }

type Changes = Parameters<InvocationView['apply']>[0]

/** A view that may be held up. */
class ProbedView extends InvocationView {
  asked = 0
  beforeApply: (changes: Changes) => Promise<void> | void = () => undefined

  override async apply(changes: Changes): Promise<'applied' | 'behind'> {
    this.asked += 1
    await this.beforeApply(changes)
    return super.apply(changes)
  }
}

/** A data directory with what stands in it; all of it ends with the test. */
export class Setting {
  readonly directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  readonly #environment = new Environment({ directory: this.directory, reserveBytes: 0 })
  readonly #viewEnvironment = new Environment({ directory: this.directory, file: 'feed.lmdb', reserveBytes: 0 })
  readonly view = new ProbedView({ environment: this.#viewEnvironment, retention: FOR_EVER })
  readonly #running: { stop(): Promise<void> }[] = []

  constructor(t: Test) {
    t.teardown(async () => {
      for (const one of this.#running.reverse()) await one.stop()
      await this.#viewEnvironment.close()
      await this.#environment.close()
      rmSync(this.directory, { recursive: true })
    })
  }

  /** A stream whose journal is kept for an hour. */
  async startStream(clock: Clock = { now: () => Date.now() }): Promise<EmbeddedStream> {
    const stream = new EmbeddedStream({
      environment: this.#environment,
      checkpoints: new LmdbCheckpointStore(this.#environment),
      journalRetention: { ageMs: HOUR_MS, bytes: 1e12 },
      clock,
      log: createLogger({ logLevel: 'silent' }),
    })
    this.#running.push(stream)
    await stream.start()
    return stream
  }

  startFeed(stream: Pick<Stream, 'follow'>): RunningFeed {
    const feed = new RunningFeed(stream, this.view)
    this.#running.push(feed)
    return feed
  }

  async until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    for (const untilMs = performance.now() + 15_000; performance.now() < untilMs; await sleep(10)) {
      if (await isSo()) return
    }
    throw new Error('it did not come to pass')
  }
}

class RunningFeed {
  readonly warnings: string[] = []
  readonly #feed: ViewFeed
  readonly #stopping = new AbortController()
  readonly #sinceMs = performance.now()
  readonly #running: Promise<void>

  constructor(stream: Pick<Stream, 'follow'>, view: InvocationView) {
    const warn = (_: object, text: string): void => void this.warnings.push(text)
    const log = { debug() {}, info() {}, error() {}, warn }
    this.#feed = new ViewFeed({ stream, view, log, onProgress: () => undefined })
    this.#running = this.#feed.run(this.#stopping.signal)
  }

  /** Whether the view shows all that was there when this began. */
  isUpToDate(): boolean {
    return this.#feed.asOfMs >= this.#sinceMs
  }

  stop(): Promise<void> {
    this.#stopping.abort()
    return this.#running
  }
}
