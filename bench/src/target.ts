import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Spread } from './spread.js'

export type TargetOrder = { readonly kind: 'count' | 'report' } | { readonly kind: 'reset'; readonly delayMs: number }

export interface TargetReport {
  /** Different bodies that came. */
  readonly distinct: number
  /** Bodies that came before. */
  readonly repeats: number
  readonly firstUs: number
  readonly lastUs: number
  readonly connections: number
  readonly connectionsMost: number
  /** From the client's request to the call. */
  readonly latencyMs: Spread
}

const LOOK_MS = 20

/** A server to call, in a process of its own, on as many ports as asked for. */
export class Target {
  readonly urls: readonly string[]
  readonly #child: ChildProcess

  static async start(ports = 1): Promise<Target> {
    const child = fork(new URL('./target-process.js', import.meta.url), [String(ports)])
    const [found] = (await once(child, 'message')) as [number[]]
    return new Target(child, found)
  }

  private constructor(child: ChildProcess, ports: readonly number[]) {
    this.#child = child
    this.urls = ports.map((port) => `http://127.0.0.1:${port}/`)
  }

  /** Forgets what came. */
  async reset(delayMs = 0): Promise<void> {
    await this.#ask({ kind: 'reset', delayMs })
  }

  async count(): Promise<number> {
    return (await this.#ask({ kind: 'count' })) as number
  }

  /** Resolves with the report once so many different bodies came. @throws Error if nothing comes for `stallMs` */
  async until(distinct: number, stallMs = 30_000): Promise<TargetReport> {
    let last = -1
    let lastMs = performance.now()
    for (;;) {
      const count = await this.count()
      if (count >= distinct) return this.report()
      if (count !== last) [last, lastMs] = [count, performance.now()]
      if (performance.now() - lastMs > stallMs) throw new Error(`Only ${count} of ${distinct} calls came.`)
      await sleep(LOOK_MS)
    }
  }

  async report(): Promise<TargetReport> {
    return (await this.#ask({ kind: 'report' })) as TargetReport
  }

  stop(): void {
    this.#child.disconnect()
  }

  async #ask(order: TargetOrder): Promise<unknown> {
    this.#child.send(order)
    const [answer] = (await once(this.#child, 'message')) as [unknown]
    return answer
  }
}
