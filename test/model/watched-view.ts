import type { ViewDoor } from '@posthaste/accepter'
import { ViewFeed } from '@posthaste/server'
import { Environment, InvocationView } from '@posthaste/storage'
import { Bell, type Stream } from '@posthaste/stream'
import { silent } from '../harness/installation.js'

const KEPT_MS = 100 * 365 * 86_400_000
const RETENTION = { ageMs: KEPT_MS, bytes: 1024 ** 3, claimAgeMs: KEPT_MS }

/** The view, fed in this thread, as accepters look at it. Nothing is forgotten. */
export class WatchedView {
  readonly #environment: Environment
  readonly #view: InvocationView
  readonly #feed: ViewFeed
  readonly #progress = new Bell()
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>

  constructor(directory: string, stream: Stream) {
    this.#environment = new Environment({ directory, file: 'view.lmdb', reserveBytes: 0 })
    this.#view = new InvocationView({ environment: this.#environment, retention: RETENTION })
    const onProgress = (): void => this.#progress.ring()
    this.#feed = new ViewFeed({ stream, view: this.#view, log: silent, onProgress })
    this.#feed.isWatched = true
    this.#running = this.#feed.run(this.#stopping.signal)
  }

  get door(): ViewDoor {
    const view = this.#view
    return {
      get: (id, tenant) => view.get(id, tenant),
      response: (id) => view.response(id),
      waiting: (id) => view.waiting(id),
      deadLetter: (id) => view.deadLetter(id),
      directive: (id) => view.directive(id),
      claim: (key) => view.claim(key),
      list: (query) => view.list(query),
      schedule: (id, tenant) => view.schedule(id, tenant),
      schedules: (query) => view.schedules(query),
      counts: () => view.counts(),
      oldestWaitingAtMs: () => view.oldestWaitingAtMs(),
      openOf: (tenant) => view.openOf(tenant),
      directivesOf: (tenant) => view.directivesOf(tenant),
      asOfMs: () => this.#feed.asOfMs,
      until: (ask, timeoutMs, signal) => this.#until(ask, timeoutMs, signal),
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await this.#environment.close()
  }

  async #until<T>(ask: () => T | undefined, timeoutMs: number, signal?: AbortSignal): Promise<T | undefined> {
    const untilMs = performance.now() + timeoutMs
    for (;;) {
      const found = ask()
      const leftMs = untilMs - performance.now()
      if (found !== undefined || leftMs <= 0 || signal?.aborted) return found
      await this.#progress.wait(leftMs, signal)
    }
  }
}
