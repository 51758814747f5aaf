import { BroadcastChannel } from 'node:worker_threads'

/** Wakes whoever waits in this process for something to be appended to what stands in a directory. */
export class Bell {
  #waiting: (() => void)[] = []
  readonly #otherThreads: BroadcastChannel
  #closed = false

  constructor(directory: string) {
    this.#otherThreads = new BroadcastChannel(`posthaste ${directory}`)
    this.#otherThreads.onmessage = () => this.ring()
    this.#otherThreads.unref()
  }

  /** Wakes those in this thread. */
  ring(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Wakes those in every thread. */
  ringEverywhere(): void {
    this.ring()
    if (!this.#closed) this.#otherThreads.postMessage('')
  }

  close(): void {
    this.#closed = true
    this.#otherThreads.close()
  }

  /** Resolves at the next ring, after `timeoutMs`, or when `signal` aborts, whichever comes first. */
  wait(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (timeoutMs <= 0 || signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#waiting = this.#waiting.filter((one) => one !== wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, timeoutMs)
      this.#waiting.push(wake)
      signal?.addEventListener('abort', wake)
    })
  }
}
