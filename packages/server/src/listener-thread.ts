import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { PosthasteError } from '@posthaste/core'
import type { Config } from './config/table.js'
import type { ListenerPart, PingReport } from './listener-part.js'
import type { Ask, Reply, ThreadData } from './listener-thread-worker.js'

/** How long a thread that has stopped may take to end by itself. */
const EXIT_MS_MAX = 1_000

/**
 * Bodies lie outside of the heap, and records in work are bounded, so that this is ample. The collector lets a heap that
 * may become larger grow further before it looks what is alive.
 */
const resourceLimits = { maxOldGenerationSizeMb: 1_024, maxYoungGenerationSizeMb: 32 }

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
}

/**
 * A listener in a thread of its own, on a stream of its own: accepting and calling then have a processor each. A thread
 * that fails takes the process with it, as a failure anywhere does.
 */
export class ListenerThread implements ListenerPart {
  readonly #config: Config
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #asked = 0
  #ended = false
  #stopped: Promise<void> | undefined

  constructor(config: Config) {
    this.#config = config
  }

  async start(url: string): Promise<void> {
    this.#worker ??= this.#spawn()
    await this.#ask('start', url)
  }

  #spawn(): Worker {
    const workerData: ThreadData = { config: this.#config }
    const worker = new Worker(new URL('./listener-thread-worker.js', import.meta.url), { workerData, resourceLimits })
    worker.on('message', (reply: Reply) => this.#settle(reply))
    worker.on('error', (error) => {
      throw error
    })
    worker.on('exit', () => this.#end())
    return worker
  }

  ping(waitMs: number): Promise<PingReport> {
    return this.#ask('ping', waitMs) as Promise<PingReport>
  }

  blocked(): Promise<string | undefined> {
    return this.#ask('blocked') as Promise<string | undefined>
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const worker = this.#worker
    if (!worker || this.#ended) return
    const exit = once(worker, 'exit')
    await this.#ask('stop')
    const late = setTimeout(() => void worker.terminate(), EXIT_MS_MAX)
    await exit
    clearTimeout(late)
  }

  #ask(method: Ask['method'], argument?: Ask['argument']): Promise<unknown> {
    if (this.#ended) return Promise.reject(hasEnded())
    const { promise, reject, resolve } = withResolvers()
    this.#asked += 1
    this.#waiting.set(this.#asked, { resolve, reject })
    this.#worker?.postMessage({ id: this.#asked, method, argument } satisfies Ask)
    return promise
  }

  /** Whoever still waits for an answer will have none. */
  #end(): void {
    this.#ended = true
    for (const { reject } of this.#waiting.values()) reject(hasEnded())
    this.#waiting.clear()
    if (!this.#stopped) throw new Error('The thread of the listener ended by itself.')
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (!('error' in reply)) waiting?.resolve(reply.result)
    else waiting?.reject(reply.code ? new PosthasteError(reply.code, reply.error.message) : reply.error)
  }
}

function hasEnded(): PosthasteError {
  return new PosthasteError('stopping', 'The listener has ended.')
}

function withResolvers() {
  let resolve: (result: unknown) => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, reject, resolve }
}
