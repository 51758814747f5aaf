/** Wakes whoever waits in this process for something to happen. */
export class Bell {
  readonly #waiting = new Set<() => void>()

  ring(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves true at the next ring; false after `timeoutMs` or when `signal` aborts, if that comes first. */
  wait(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (timeoutMs <= 0 || signal?.aborted) return Promise.resolve(false)
    return new Promise((resolve) => {
      const end = (isRung: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(ring)
        signal?.removeEventListener('abort', wake)
        resolve(isRung)
      }
      const ring = (): void => end(true)
      const wake = (): void => end(false)
      const timer = setTimeout(wake, Math.min(timeoutMs, 2 ** 31 - 1))
      this.#waiting.add(ring)
      signal?.addEventListener('abort', wake)
    })
  }
}
