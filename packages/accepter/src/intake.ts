import {
  type Call,
  type CallContent,
  checkTargets,
  createId,
  decodeCall,
  EgressPolicy,
  encodeCall,
  type FunctionMap,
  formatInstant,
  functionOf,
  LIMITS,
  NO_FUNCTIONS,
  PosthasteError,
} from '@posthaste/core'
import type { LogName, NewRecord } from '@posthaste/stream'
import type { FastifyRequest } from 'fastify'
import type { InvocationsDoor } from './accepter-options.js'
import type { Caller } from './caller.js'
import { checkNames } from './named-urls.js'

const STORE_MS_MAX = 10_000

/** The way of calls, and of what is asked of them, to the stream. */
export class Intake {
  readonly #door: InvocationsDoor
  readonly #egress: EgressPolicy
  readonly #functions: () => FunctionMap
  #durableMs = Number.NEGATIVE_INFINITY

  constructor(door: InvocationsDoor, egress = new EgressPolicy(), functions = (): FunctionMap => NO_FUNCTIONS) {
    this.#door = door
    this.#egress = egress
    this.#functions = functions
  }

  /** When something was last stored, by `performance.now()`. */
  get durableMs(): number {
    return this.#durableMs
  }

  /** How long the stream may take to store something, and the view to show it. */
  get timeoutMs(): number {
    return this.#door.timeoutMs ?? STORE_MS_MAX
  }

  /** How old a call may grow whose instruction does not say so, as far as that is known here. */
  get maxAgeMs(): number {
    return this.#door.maxAgeMs ?? Number.POSITIVE_INFINITY
  }

  /**
   * A call that nobody has seen yet.
   * @throws PosthasteError `forbidden` if its caller may not have it made, `too-large` if its function does not take it
   */
  newCall(content: CallContent, { caller, depth, id, nowMs, under }: CallOrigin): Call {
    checkNames(content, caller, under)
    const { limits, method = 'POST', name } = functionOf(content.target, this.#functions()) ?? {}
    if (limits?.bodyBytes !== undefined && content.body.length > limits.bodyBytes)
      throw new PosthasteError('too-large', `"${name}" takes bodies of ${limits.bodyBytes} bytes at the most.`)
    const call = {
      id: id ?? createId(nowMs),
      generation: 1,
      attempt: 1,
      acceptedAtMs: nowMs,
      depth,
      method,
      ...content,
    }
    return caller.tenant === '' ? call : { ...call, tenant: caller.tenant }
  }

  /**
   * The record of a call that may be made, which may be larger than what is accepted by so much.
   * @throws PosthasteError `target-refused` or `too-large`
   */
  fittingRecordOf(call: Call, moreBytes = 0): NewRecord {
    checkTargets(call, this.#egress, call.schedule && '/instruction')
    const record = recordOf(call)
    const bytes = record.value.length
    const bytesMax = this.#door.recordBytesMax + moreBytes
    if (bytes <= bytesMax) return record
    const detail = `As a record this instruction has ${bytes} bytes; ${bytesMax} are the limit.`
    throw new PosthasteError('too-large', detail)
  }

  /** Resolves once the records are durable. @throws PosthasteError, also if that takes too long */
  async append(log: LogName, records: readonly NewRecord[]): Promise<void> {
    if (records.length === 0) return
    await inTime(this.#door.append(log, records), this.timeoutMs)
    this.#durableMs = performance.now()
  }

  /** Tells of calls that a request brought, and that are durable now. */
  accepted(durationMs: number, count: number): void {
    if (count > 0) this.#door.onAccepted?.(durationMs, count)
  }
}

/** Where a call comes from. */
export interface CallOrigin {
  /** A new id, where somebody must know it before; one is made otherwise. */
  readonly id?: string
  readonly caller: Caller
  readonly depth: number
  readonly nowMs: number
  /** Where its instruction stands in what was sent; that itself if left out. */
  readonly under?: string
}

export function recordOf(call: Call): NewRecord {
  const { attempt, generation, id } = call
  return { key: id, generation, attempt, value: encodeCall(call) }
}

/** Reads a record that says by itself which call it is. @throws PosthasteError `record-unreadable` */
export function readCall(record: Uint8Array): Call {
  const { call, settled } = decodeCall(record, { log: 'calls', partition: 0, offset: 0, appendedAtMs: 0 })
  if (!settled) throw new PosthasteError('record-unreadable', 'What this record says depends on where it stands.')
  return call
}

/** A request that a call of ours made says how deep its chain is, so that a loop through other services ends. */
export function depthOf({ headers }: FastifyRequest): number {
  const header = headers['posthaste-depth']
  if (header === undefined) return 0
  if (!/^\d+$/.test(String(header))) throw new PosthasteError('bad-request', 'Posthaste-Depth is not a number.')
  const depth = Number(header) + 1
  if (depth <= LIMITS.depthMax) return depth
  const detail = `This would be number ${depth} of a chain; ${LIMITS.depthMax} are the limit.`
  throw new PosthasteError('depth-exceeded', detail)
}

/** What a client is told of a call that was accepted. */
export function receiptOf(call: Call): object {
  const isScheduled = call.notBeforeMs !== undefined && call.notBeforeMs > call.acceptedAtMs
  return {
    id: call.id,
    state: isScheduled ? 'scheduled' : 'queued',
    correlationId: call.correlationId,
    notBefore: call.notBeforeMs === undefined ? undefined : formatInstant(call.notBeforeMs),
  }
}

/** Gives up waiting for an append after a time. */
function inTime(append: Promise<void>, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const detail = `The stream did not confirm within ${timeoutMs} ms; it may have what was sent all the same.`
      reject(new PosthasteError('stream-unavailable', detail))
    }, timeoutMs)
    append.then(
      () => {
        clearTimeout(timer)
        resolve()
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error as Error)
      },
    )
  })
}
