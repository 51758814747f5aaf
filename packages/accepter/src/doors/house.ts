import {
  type Call,
  type CallContent,
  type FunctionMap,
  functionNameOf,
  type InstructionInput,
  type Invocation,
  isFinalState,
  isFunctionUrl,
  type NamedFunction,
  PosthasteError,
  parseInstruction,
  type RetryPolicy,
} from '@posthaste/core'
import type { Acceptance, Accepted, Sameness } from '../acceptance.js'
import type { Cancelling } from '../cancelling.js'
import type { Lookup } from '../lookup.js'
import { checkNames } from '../named-urls.js'
import type { Streamed } from './door.js'
import type { Entrance } from './entrance.js'
import type { FunctionProxy, Proxied } from './function-proxy.js'
import type { PassedHeaders } from './passed-headers.js'

/** Of several calls with one id of a client, so many are looked at. */
const SAME_NAME_MAX = 20

/** What a door wants called. */
export interface Order {
  /** An instruction as the native API takes it, without its body. */
  readonly instruction: Omit<InstructionInput, 'body' | 'bodyEncoding'>
  readonly body: Buffer
  /** What this system does where neither the instruction nor the function says otherwise. */
  readonly retry?: Partial<RetryPolicy>
  /** The function that is called, if it is one. */
  readonly fn?: NamedFunction
  readonly sameness?: Sameness
  /** A new id, where the door must know it before. */
  readonly id?: string
}

/** A function that a door wants called at once, with what the request brings. */
export interface CallNow extends Pick<Proxied, 'answer' | 'body' | 'fn'> {
  /** What follows the function's URL, still encoded, without the query. */
  readonly rest: string
  /** The query that is passed on, `?a=b` or nothing; that of the request if left out. */
  readonly search?: string
  /** That of the request if left out. */
  readonly method?: string
  /** Those of the request that pass on if left out. */
  readonly headers?: PassedHeaders
}

/** What doors have in common behind them: functions, acceptance, and what became of calls. */
export interface House {
  /** @throws PosthasteError `unknown-function` if there is none that shows itself at this door */
  functionFor(name: string, door: string): NamedFunction
  /** Takes a call; it is on the stream then. @throws PosthasteError */
  accept(entrance: Entrance, order: Order): Promise<Accepted>
  /** Calls a function at once and passes its answer on as it comes. @throws PosthasteError if there is none */
  callNow(entrance: Entrance, call: CallNow): Promise<Streamed>
  /**
   * The call of a function that a client calls by its own id, or by ours: of several one that goes on, or else the latest.
   * @throws PosthasteError `not-found`, or `view-behind`
   */
  find(entrance: Entrance, id: string, fn?: string): Promise<Invocation>
  /** Has an invocation made no more; waits for that so long. @throws PosthasteError `already-ended`, or of the stream */
  cancel(entrance: Entrance, id: string, waitMs: number): Promise<void>
  /** A call as it may be shown. */
  shown(call: Call): Call
  /** What is known of invocations. @throws PosthasteError `view-behind` where there is no view */
  readonly lookup: Lookup
  /** Whether there is a view. */
  readonly hasView: boolean
}

export interface HouseParts {
  readonly functions: () => FunctionMap
  readonly acceptance: Acceptance
  readonly proxy: FunctionProxy
  readonly shown: House['shown']
  readonly lookup: Lookup | undefined
  readonly cancelling: Cancelling | undefined
}

export function openHouse({ acceptance, cancelling, functions, lookup, proxy, shown }: HouseParts): House {
  const needed = <T>(part: T | undefined): T => {
    if (part) return part
    throw new PosthasteError('view-behind', 'This process has no view, where calls could be looked up.')
  }
  return {
    get lookup() {
      return needed(lookup)
    },
    hasView: lookup !== undefined,
    shown,
    async find(entrance, id, fn) {
      const { caller, nowMs, reply } = entrance
      const target = fn === undefined ? {} : { target: `function://${fn}` }
      await needed(lookup).catchUp(reply)
      const page = needed(lookup).view.list({
        tenant: caller.tenant,
        correlationId: id,
        limit: SAME_NAME_MAX,
        ...target,
      })
      // What an end gave rise to has the id of the client too: it is meant where its function is named.
      const meant = page.items.filter(
        ({ parent, target = '' }) => fn !== undefined || (parent === undefined && isFunctionUrl(target)),
      )
      const known = meant.find(({ state }) => !isFinalState(state)) ?? meant[0]
      const found = known ?? (await needed(lookup).find({ id, caller, nowMs }, reply))
      const name = functionNameOf(found.target ?? '')
      if (name !== undefined && (fn === undefined || name === fn)) return found
      throw new PosthasteError('not-found', `There is no call "${id}" of a function.`)
    },
    async cancel({ caller, nowMs, reply }, id, waitMs) {
      await needed(cancelling).cancel({ id, caller, nowMs }, waitMs, reply)
    },
    functionFor(name, door) {
      const fn = functions().get(name)
      if (fn && shows(fn, door)) return fn
      throw new PosthasteError('unknown-function', `There is no function "${name}" here.`)
    },
    accept(entrance, order) {
      const content = contentOf(order, entrance.nowMs)
      const origin = { ...entrance.origin, ...(order.id !== undefined && { id: order.id }) }
      return acceptance.accept(content, origin, () => entrance.reply.elapsedTime, order.sameness)
    },
    callNow(entrance, { fn, rest, search = entrance.search, ...given }) {
      const { caller, nowMs, origin, reply, request } = entrance
      const { headers = entrance.passedHeaders(), method = request.method, ...more } = given
      const body = given.body ?? entrance.bodyRead(fn.limits?.bodyBytes)
      const content = parseInstruction({ target: `function://${fn.name}${rest}${search}`, method }, nowMs)
      checkNames(content, caller)
      const sent = { target: content.target, headers: { ...headers, 'posthaste-depth': String(origin.depth) } }
      return proxy.call(reply, { fn, method, ...sent, ...more, ...(body && { body }) })
    },
  }
}

/** Whether a function is to be seen at a door. */
export function shows({ doors }: NamedFunction, door: string): boolean {
  return doors === undefined || doors.includes(door)
}

/** @throws PosthasteError with every wrong field */
function contentOf({ body, fn, instruction, retry }: Order, nowMs: number): CallContent {
  const content = parseInstruction(instruction, nowMs, body)
  if (!retry) return content
  // What the function says goes before, as it is when it is called.
  const usual = Object.entries(retry).filter(([field]) => !(field in (fn?.retry ?? {})))
  return { ...content, retry: { ...Object.fromEntries(usual), ...content.retry } }
}
