import { type FunctionMap, type NamedFunction, PosthasteError, type Scope } from '@posthaste/core'
import { AT_ONCE, failPlainly } from './direct.js'
import type { AtFunctions, Door, DoorAnswer, Mark, Streamed } from './door.js'
import type { DoorSetting } from './door-options.js'
import type { Entrance } from './entrance.js'
import { FunctionUrls } from './function-urls.js'
import { type House, shows } from './house.js'
import type { Signature } from './signatures/signature.js'
import { signatureOf } from './signatures/signer.js'

/** The methods by which functions are called. */
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** What a request is for. */
export interface Way {
  readonly door: Pick<Door, 'fail'>
  readonly scope: Scope
  readonly takesTokenInQuery?: boolean
  readonly signatures: readonly Signature[]
  /** Behind the prefix of the door. */
  readonly path: string
  handle(entrance: Entrance, house: House): Promise<DoorAnswer | Streamed>
}

interface Asking {
  readonly method: string
  /** Encoded, without the query. */
  readonly path: string
  readonly headers: Mark['headers']
}

/** Finds the door that a request is for: by its path, or by what marks it at the URL of a function. */
export class Router {
  readonly #doors: readonly (DoorSetting & { readonly door: Door })[]
  readonly #urls: FunctionUrls

  /** `all` are the doors that could be there. */
  constructor(all: readonly Door[], settings: readonly DoorSetting[], functions: () => FunctionMap) {
    this.#urls = new FunctionUrls(functions)
    // In the order of all: of what marks a request the first counts.
    this.#doors = all.flatMap((door) => {
      const setting = settings.find(({ name }) => name === door.name)
      return setting ? [{ ...setting, door }] : []
    })
  }

  /** Undefined if it is for none. */
  find(asking: Asking): Way | undefined {
    return this.#ownPath(asking) ?? this.#atFunction(asking)
  }

  /** Headers that a signature must cover besides those that it knows: they tell a door of another system what is to be done. */
  mustSign(signature: Signature): readonly string[] {
    const others = this.#doors.filter(({ door }) => !door.signatures?.includes(signature))
    return others.flatMap(({ door }) => door.heeds ?? [])
  }

  #ownPath({ method, path: whole }: Asking): Way | undefined {
    for (const { door, prefix } of this.#doors) {
      const path = behind(prefix, whole)
      if (path === undefined) continue
      const found = door.paths.flatMap((one) => {
        const groups = one.pattern.exec(path)?.groups
        return groups || one.pattern.test(path) ? [{ one, groups: groups ?? {} }] : []
      })
      if (found.length === 0) continue
      const taken = found.find(({ one }) => one.methods.includes(method))
      const methods = found.flatMap(({ one }) => one.methods)
      if (!taken) return notAllowed(door, path, methods)
      const { groups, one } = taken
      const { scope, takesTokenInQuery = false } = one
      const { signatures = [] } = door
      const handle: Way['handle'] = (entrance, house) => one.handle(entrance, house, groups)
      return { door, path, scope, takesTokenInQuery, signatures, handle }
    }
    return undefined
  }

  /** At the URL of a function: the first door that it is meant for, or else it is called at once. */
  #atFunction(asking: Asking): Way | undefined {
    const all = this.#doors.flatMap((one) => this.#place(one, asking) ?? [])
    const shown = all.filter(({ fn }) => fn)
    // Of a function that is not there each door says so in its own way.
    const places = shown.length > 0 ? shown : all
    const signatures = places.flatMap(({ door }) => door.signatures ?? [])
    const meant = places.find(({ at, mark }) => at.isMeant(mark))
    if (meant) return wayThrough(meant, { ...meant.door, signatures }, meant.at)
    // Who signs is told of errors as the system tells them whose signature it is.
    const signed = places.find(({ door }) => signatureOf(asking.headers, door.signatures ?? []))
    return places[0] && wayThrough(places[0], { fail: signed?.door.fail ?? failPlainly, signatures }, AT_ONCE)
  }

  #place({ door, prefix }: DoorSetting & { readonly door: Door }, asking: Asking): Place | undefined {
    const { headers, method, path: whole } = asking
    const { atFunctions: at } = door
    const path = at && behind(prefix, whole)
    const found = path === undefined ? undefined : this.#urls.find(path)
    if (!at || path === undefined || !found) return undefined
    const { fn, rest } = found
    return { door, at, path, mark: { rest, method, headers }, fn: fn && shows(fn, door.name) ? fn : undefined }
  }
}

/** What of a door is needed for what it does not handle itself. */
type Answering = Pick<Door, 'fail' | 'signatures'>

/** The URL of a function as a door sees it. */
interface Place {
  readonly door: Door
  readonly at: AtFunctions
  readonly path: string
  readonly mark: Mark
  /** Undefined if there is none that the door shows. */
  readonly fn: NamedFunction | undefined
}

/** Who asks may be said by any signature that a door there takes. */
function wayThrough({ fn, mark, path }: Place, door: Answering, at: AtFunctions): Way {
  const { methods = METHODS } = at
  if (!methods.some((one) => one === mark.method)) return notAllowed(door, path, methods)
  const handle: Way['handle'] = async (entrance, house) => {
    if (!fn) throw new PosthasteError('unknown-function', `There is no function at ${path}.`)
    return at.handle(entrance, house, { ...mark, fn })
  }
  return { door, path, scope: 'invoke', signatures: door.signatures ?? [], handle }
}

/** A path without a prefix; undefined if it does not begin with it. */
function behind(prefix: string, path: string): string | undefined {
  if (prefix === '') return path
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined
}

function notAllowed(door: Answering, path: string, given: readonly string[]): Way {
  const methods = [...new Set(given)].join(', ')
  const error = new PosthasteError('method-not-allowed', `This path takes ${methods}.`)
  const handle = async ({ reply }: Entrance): Promise<never> => {
    reply.header('allow', methods)
    throw error
  }
  return { door, path, scope: 'invoke', signatures: door.signatures ?? [], handle }
}
