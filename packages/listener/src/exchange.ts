import type { ErrorCode, Headers, Outcome, PosthasteError } from '@posthaste/core'
import type { Dispatcher } from 'undici'
import { signOf } from './breaker.js'
import { classifyCallError, isShortage } from './call-failure.js'
import type { Pace } from './pace.js'
import { ResponseBody } from './response-body.js'
import type { CallEnd } from './target.js'

/** The call was not made: the record may be in other hands, or something else was asked. */
export const NOT_MADE = 'not-made'
/** The call was not made: this process has no file descriptor left for a connection. */
export const NO_DESCRIPTOR = 'no-descriptor'

export type Unmade = typeof NOT_MADE | typeof NO_DESCRIPTOR

export function isUnmade(outcome: Outcome | Unmade): outcome is Unmade {
  return typeof outcome === 'string'
}

/** That it was cancelled says nothing of the target, nor that it may not be called, or is not known. */
const SAYS_NOTHING: readonly ErrorCode[] = ['cancelled', 'target-refused', 'unknown-function']

/** How a call ended for its target. */
export function callEnd(outcome: Outcome | Unmade): CallEnd {
  const isTold = !isUnmade(outcome) && (outcome.kind === 'answered' || !SAYS_NOTHING.includes(outcome.code))
  if (!isTold) return 'not made'
  return { answered: outcome.kind === 'answered', durationMs: outcome.durationMs, sign: signOf(outcome) }
}

/** A pause shorter than this is not worth a timer. */
const PAUSE_MS_MIN = 5

export interface ExchangeOptions {
  /** Whether it may be made: asked at the last moment before the request is written. */
  readonly held: () => boolean
  readonly timeoutMs: number
  readonly responseBytesMax: number
  /** Of what is read of bodies beyond the limit. */
  readonly discardPace: Pace
  readonly nowMs: number
}

/**
 * One request and its response, within a deadline for the whole of it. `outcome` resolves exactly once and never
 * rejects. A body beyond the limit is read to its end, for its size, at the pace of all such bodies, and not kept.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly outcome: Promise<Outcome | Unmade>
  readonly #options: ExchangeOptions
  readonly #startedMs = performance.now()
  readonly #deadline: NodeJS.Timeout
  #settle: ((outcome: Outcome | Unmade) => void) | undefined
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: Headers = {}
  readonly #body: ResponseBody

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.#body = new ResponseBody(options.responseBytesMax)
    this.outcome = new Promise((settle) => {
      this.#settle = settle
    })
    this.#deadline = setTimeout(() => this.#expire(), options.timeoutMs)
  }

  /** Sends the request. What is wrong with it before it is sent ends the call like any other failure. */
  start(dispatcher: Dispatcher, request: Dispatcher.DispatchOptions): void {
    try {
      dispatcher.dispatch(request, this)
    } catch (error) {
      this.onResponseError(undefined, error as Error)
    }
  }

  /** Ends the call before anything is sent, for that reason. */
  refuse(reason: PosthasteError): void {
    if (this.#options.held()) this.onResponseError(undefined, reason)
    else this.#end(NOT_MADE)
  }

  /** Ends the call at once: it counts as made, and cancelled. */
  cancel(): void {
    this.#end({ kind: 'unanswered', ...this.#timing(), code: 'cancelled', detail: 'It was cancelled while it ran.' })
  }

  /** Gives the call up at once: it counts as not made. */
  abort(): void {
    this.#end(NOT_MADE)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#settle === undefined) controller.abort(new Error('The call is over.'))
    else if (!this.#options.held()) this.#end(NOT_MADE)
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // An informational response is not the answer.
    if (status < 200) return
    this.#status = status
    this.#headers = headers as Headers
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body.add(chunk)
    if (!this.#body.isTooLong) return
    const waitMs = this.#options.discardPace.waitMs(chunk.length, performance.now())
    if (waitMs < PAUSE_MS_MIN || controller.paused) return
    controller.pause()
    setTimeout(() => controller.resume(), waitMs).unref()
  }

  onResponseEnd(): void {
    this.#end({
      kind: 'answered',
      ...this.#timing(),
      response: { status: this.#status, headers: this.#headers, body: this.#body.kept, bodyBytes: this.#body.bytes },
    })
  }

  onResponseError(_: unknown, error: Error): void {
    if (isShortage(error)) this.#end(NO_DESCRIPTOR)
    else this.#end({ kind: 'unanswered', ...this.#timing(), ...classifyCallError(error) })
  }

  #expire(): void {
    const detail = `The call did not end within ${this.#options.timeoutMs} ms.`
    this.#end({ kind: 'unanswered', ...this.#timing(), code: 'timeout', detail })
  }

  #timing(): { startedAtMs: number; durationMs: number } {
    return { startedAtMs: this.#options.nowMs, durationMs: performance.now() - this.#startedMs }
  }

  #end(outcome: Outcome | Unmade): void {
    const settle = this.#settle
    if (!settle) return
    this.#settle = undefined
    clearTimeout(this.#deadline)
    settle(outcome)
    const whole = !isUnmade(outcome) && outcome.kind === 'answered'
    // While the connection is being made there is nothing to abort yet: onRequestStart does it.
    if (!whole) this.#controller?.abort(new Error('The call is over.'))
  }
}
