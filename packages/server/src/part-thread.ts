import { once } from 'node:events'
import { type ResourceLimits, Worker } from 'node:worker_threads'
import { PosthasteError } from '@posthaste/core'
import type { Ask, Reply, Told } from './part-thread-worker.js'

/** How long a thread that has stopped may take to end by itself. */
const EXIT_MS_MAX = 1_000

export interface PartThreadOptions {
  /** For people: `listener`. */
  readonly name: string
  /** The module that runs in it: calls `serveThread`. */
  readonly module: URL
  readonly data: unknown
  readonly resourceLimits?: ResourceLimits
  /** Gets what the thread tells without being asked. */
  readonly onTold?: (told: unknown) => void
}

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
}

/**
 * A part of Posthaste in a thread of its own, asked by messages. A thread that fails takes the process with it, as a
 * failure anywhere does.
 */
export class PartThread {
  readonly #options: PartThreadOptions
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #asked = 0
  #ended = false
  #stopped: Promise<void> | undefined

  constructor(options: PartThreadOptions) {
    this.#options = options
  }

  /** Asks for something: first for a `start`. @throws PosthasteError, as the thread does, or if there is none */
  ask(method: string, argument?: unknown): Promise<unknown> {
    if (method === 'start' && !this.#ended) this.#worker ??= this.#spawn()
    if (!this.#worker || this.#ended) return Promise.reject(this.#isAway())
    const { promise, reject, resolve } = withResolvers()
    this.#asked += 1
    this.#waiting.set(this.#asked, { resolve, reject })
    this.#worker.postMessage({ id: this.#asked, method, argument } satisfies Ask)
    return promise
  }

  /** Asks it to stop and waits for its end. Idempotent, also without a start. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  #spawn(): Worker {
    const { data: workerData, module, onTold, resourceLimits } = this.#options
    const worker = new Worker(module, { workerData, ...(resourceLimits && { resourceLimits }) })
    worker.on('message', (message: Reply | Told) => {
      if ('told' in message) onTold?.(message.told)
      else this.#settle(message)
    })
    worker.on('error', (error) => {
      throw error
    })
    worker.on('exit', () => this.#end())
    return worker
  }

  async #stop(): Promise<void> {
    const worker = this.#worker
    if (!worker || this.#ended) return
    const exit = once(worker, 'exit')
    await this.ask('stop')
    const late = setTimeout(() => void worker.terminate(), EXIT_MS_MAX)
    await exit
    clearTimeout(late)
  }

  /** Whoever still waits for an answer will have none. */
  #end(): void {
    this.#ended = true
    for (const { reject } of this.#waiting.values()) reject(this.#isAway())
    this.#waiting.clear()
    if (!this.#stopped) throw new Error(`The thread of the ${this.#options.name} ended by itself.`)
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (!('error' in reply)) waiting?.resolve(reply.result)
    else waiting?.reject(reply.code ? new PosthasteError(reply.code, reply.error.message) : reply.error)
  }

  #isAway(): PosthasteError {
    return new PosthasteError('stopping', `The ${this.#options.name} does not run.`)
  }
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
