import type { ViewDoor } from '@posthaste/accepter'
import type {
  DeadLetter,
  Directive,
  Invocation,
  InvocationCounts,
  InvocationPage,
  InvocationQuery,
  KeptResponse,
  KnownClaim,
  SchedulePage,
  ScheduleQuery,
  ShownSchedule,
  WaitingTurn,
} from '@posthaste/core'
import type { InvocationView } from '@posthaste/storage'
import { Bell } from '@posthaste/stream'
import type { Config } from './config/table.js'
import { PartThread } from './part-thread.js'
import { type OpenView, openView } from './view-file.js'
import { ownTime, type ViewProgress } from './view-progress.js'

/** Rows lie outside of the heap. What is held for a moment must not be taken for something that stays. */
const resourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 32 }

/** The view of invocations: written in a thread of its own, so that showing holds up neither accepting nor calling, read here. */
export class ViewThread implements ViewDoor {
  readonly #thread: PartThread
  readonly #file: OpenView
  readonly #changed = new Bell()
  #asOfMs = Number.NEGATIVE_INFINITY
  #watching = 0

  constructor(config: Config) {
    const module = new URL('./view-thread-worker.js', import.meta.url)
    const onTold = (told: unknown): void => {
      this.#asOfMs = ownTime((told as ViewProgress).asOf)
      this.#changed.ring()
    }
    // First: what fails leaves no thread behind.
    this.#file = openView(config)
    this.#thread = new PartThread({ name: 'view', module, data: config, resourceLimits, onTold })
  }

  /** May be repeated if it failed. @throws PosthasteError */
  async start(): Promise<void> {
    const started = this.#thread.ask('start')
    // There may be some who have been waiting since before there was a thread to be told of them.
    this.#tellWatched()
    await started
  }

  get(id: string, tenant?: string): Invocation | undefined {
    return this.#view.get(id, tenant)
  }

  response(id: string): KeptResponse | undefined {
    return this.#view.response(id)
  }

  waiting(id: string): WaitingTurn | undefined {
    return this.#view.waiting(id)
  }

  deadLetter(id: string): DeadLetter | undefined {
    return this.#view.deadLetter(id)
  }

  directive(id: string): Directive | undefined {
    return this.#view.directive(id)
  }

  claim(key: string): KnownClaim | undefined {
    return this.#view.claim(key)
  }

  list(query: InvocationQuery): InvocationPage {
    return this.#view.list(query)
  }

  schedule(id: string, tenant?: string): ShownSchedule | undefined {
    return this.#view.schedule(id, tenant)
  }

  schedules(query: ScheduleQuery): SchedulePage {
    return this.#view.schedules(query)
  }

  counts(): InvocationCounts {
    return this.#view.counts()
  }

  oldestWaitingAtMs(): number | undefined {
    return this.#view.oldestWaitingAtMs()
  }

  openOf(tenant: string): number {
    return this.#view.openOf(tenant)
  }

  directivesOf(tenant: string): { readonly own: number; readonly others: number } {
    return this.#view.directivesOf(tenant)
  }

  asOfMs(): number {
    return this.#asOfMs
  }

  async until<T>(ask: () => T | undefined, timeoutMs: number, signal?: AbortSignal): Promise<T | undefined> {
    const untilMs = performance.now() + timeoutMs
    this.#watch(1)
    try {
      for (;;) {
        const found = ask()
        const leftMs = untilMs - performance.now()
        if (found !== undefined || leftMs <= 0 || signal?.aborted) return found
        await this.#changed.wait(leftMs, signal)
      }
    } finally {
      this.#watch(-1)
    }
  }

  /** Idempotent, also without a start. */
  async stop(): Promise<void> {
    await this.#thread.stop()
    await this.#file.close()
  }

  get #view(): InvocationView {
    return this.#file.view
  }

  #watch(more: 1 | -1): void {
    const before = this.#watching
    this.#watching += more
    if (before === 0 || this.#watching === 0) this.#tellWatched()
  }

  #tellWatched(): void {
    void this.#thread.ask('watch', this.#watching > 0).catch(() => undefined)
  }
}
