import type { FunctionMap, NamedFunction } from '@posthaste/core'

/** What a path begins with: the URL of a function. */
export interface FoundFunction {
  /** Undefined where there is none of this name. */
  readonly fn: NamedFunction | undefined
  /** What follows the function's URL, still encoded: `/a/b`, or nothing. */
  readonly rest: string
}

const BY_NAME = /^\/function\/([^/]+)(\/.*)?$/

/** The URLs of functions: `/function/NAME`, and the routes that they have. */
export class FunctionUrls {
  readonly #functions: () => FunctionMap
  /** What the routes are of. */
  #known: FunctionMap | undefined
  readonly #routes = new Map<string, NamedFunction>()
  #lengthMax = 0

  constructor(functions: () => FunctionMap) {
    this.#functions = functions
  }

  /** By an encoded path; of several routes that it begins with the longest counts. */
  find(path: string): FoundFunction | undefined {
    const functions = this.#functions()
    const [, name, rest = ''] = BY_NAME.exec(path) ?? []
    if (name !== undefined) return { fn: functions.get(name), rest }
    if (functions !== this.#known) this.#read(functions)
    // Nothing longer than the longest route is looked up, however long the path is.
    for (let end = this.#endBefore(path, this.#lengthMax + 1); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const fn = this.#routes.get(path.slice(0, end))
      if (fn) return { fn, rest: path.slice(end) }
    }
    return undefined
  }

  /** Where the last part ends that ends before `max`. */
  #endBefore(path: string, max: number): number {
    return path.length < max ? path.length : path.lastIndexOf('/', max)
  }

  #read(functions: FunctionMap): void {
    this.#known = functions
    this.#routes.clear()
    this.#lengthMax = 0
    for (const fn of functions.values()) {
      for (const route of fn.routes) {
        this.#routes.set(route, fn)
        this.#lengthMax = Math.max(this.#lengthMax, route.length)
      }
    }
  }
}
