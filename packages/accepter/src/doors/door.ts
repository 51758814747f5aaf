import type { NamedFunction, PosthasteError, Scope } from '@posthaste/core'
import type { Entrance } from './entrance.js'
import type { House } from './house.js'
import type { Signature } from './signatures/signature.js'

/** A way in for clients of another system: what they ask for, as instructions of ours, and our answers in their form. */
export interface Door {
  readonly name: string
  /** What it takes at paths of its own. */
  readonly paths: readonly DoorPath[]
  /** The first parts of these. */
  readonly firstParts: readonly string[]
  /** What it takes at the URLs of functions. */
  readonly atFunctions?: AtFunctions
  /** Headers, in lower case, by which it is told what is to be done: who signs in another system's way signs these too. */
  readonly heeds?: readonly string[]
  /** How its clients may sign what they ask for, instead of showing a token. */
  readonly signatures?: readonly Signature[]
  /** Says an error as its system does, of a request for a path. */
  fail(error: PosthasteError, status: number, path: string): DoorAnswer
}

/** A path, as seen behind the prefix of the door, and still encoded. */
export interface DoorPath {
  /** Named groups are for `handle`. */
  readonly pattern: RegExp
  /** Others get 405. */
  readonly methods: readonly string[]
  readonly scope: Scope
  /** Whether `?token=` will do to say who asks. */
  readonly takesTokenInQuery?: boolean
  handle(entrance: Entrance, house: House, groups: Readonly<Record<string, string>>): Promise<DoorAnswer | Streamed>
}

export interface AtFunctions {
  /** Whether a request is meant for this door; if it is for none, the function is called at once. */
  isMeant(mark: Mark): boolean
  /** Others get 405; all that there are if left out. */
  readonly methods?: readonly string[]
  handle(entrance: Entrance, house: House, at: AtFunction): Promise<DoorAnswer | Streamed>
}

/** What of a request at the URL of a function says for which door it is. */
export interface Mark {
  /** What follows the function's URL, still encoded, without the query: `/a/b`, or nothing. */
  readonly rest: string
  readonly method: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** A request at the URL of a function. */
export interface AtFunction extends Mark {
  readonly fn: NamedFunction
}

export interface DoorAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | string[]>>
  /** An object is sent as JSON. */
  readonly body?: string | Uint8Array | object
}

/** The answer is on its way already. */
export const STREAMED = Symbol('streamed')
export type Streamed = typeof STREAMED
