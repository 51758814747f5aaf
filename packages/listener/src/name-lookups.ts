import type { LookupAddress, LookupAllOptions } from 'node:dns'

/** Finds all addresses of a name, as `lookup` of `node:dns` does. */
export type Lookup = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Names not found before that are looked up at a time: of libuv's threads half, which are two, do look-ups. */
const UNFOUND_MAX = 2
/** The same while look-ups are slow: whoever makes up names that no server answers for is not to hold both threads. */
const UNFOUND_MAX_IF_SLOW = 1
/** What takes longer is slow. */
const SLOW_MS = 1_000
/** For how long after a slow one others are expected. */
const SLOW_FOR_MS = 60_000
/** Whoever waits for longer has given up. */
const WAIT_MS_MAX = 10_000
const FOUND_MAX = 10_000

interface Asked {
  readonly hostname: string
  readonly options: LookupAllOptions
  /** Since when it waits, or runs. */
  sinceMs: number
  isRunning: boolean
  /** Of all who ask for the same name until it is known. */
  readonly callbacks: Parameters<Lookup>[2][]
}

/** The look-ups of a listener: names that were found before are looked up at once, and others a few at a time. */
export class NameLookups {
  readonly #system: Lookup
  readonly #nowMs: () => number
  readonly #asked = new Map<string, Asked>()
  /** Those that run for names not found before. */
  readonly #unfound = new Set<Asked>()
  readonly #found = new Set<string>()
  #slowUntilMs = 0

  constructor(system: Lookup, nowMs = () => performance.now()) {
    this.#system = system
    this.#nowMs = nowMs
  }

  readonly lookup: Lookup = (hostname, options, callback) => {
    const known = this.#asked.get(hostname)
    if (known) {
      known.callbacks.push(callback)
      return
    }
    const asked = { hostname, options, sinceMs: this.#nowMs(), isRunning: false, callbacks: [callback] }
    this.#asked.set(hostname, asked)
    if (this.#found.has(hostname)) this.#start(asked)
    else this.#startNext()
  }

  #startNext(): void {
    for (const asked of this.#asked.values()) {
      if (asked.isRunning) continue
      if (this.#unfound.size >= this.#unfoundMax) return
      if (this.#nowMs() - asked.sinceMs > WAIT_MS_MAX) {
        this.#end(asked, late(), [])
      } else {
        this.#unfound.add(asked)
        this.#start(asked)
      }
    }
  }

  get #unfoundMax(): number {
    const nowMs = this.#nowMs()
    const isSlow = [...this.#unfound].some(({ sinceMs }) => nowMs - sinceMs > SLOW_MS)
    return isSlow || nowMs < this.#slowUntilMs ? UNFOUND_MAX_IF_SLOW : UNFOUND_MAX
  }

  #start(asked: Asked): void {
    asked.isRunning = true
    asked.sinceMs = this.#nowMs()
    this.#system(asked.hostname, asked.options, (error, addresses) => {
      this.#unfound.delete(asked)
      this.#note(asked, error === null)
      this.#end(asked, error, addresses)
      this.#startNext()
    })
  }

  #end(asked: Asked, error: NodeJS.ErrnoException | null, addresses: LookupAddress[]): void {
    this.#asked.delete(asked.hostname)
    for (const callback of asked.callbacks) callback(error, addresses)
  }

  #note({ hostname, sinceMs }: Asked, isFound: boolean): void {
    const nowMs = this.#nowMs()
    if (nowMs - sinceMs > SLOW_MS) this.#slowUntilMs = nowMs + SLOW_FOR_MS
    if (this.#found.size >= FOUND_MAX) this.#found.clear()
    if (isFound) this.#found.add(hostname)
    else this.#found.delete(hostname)
  }
}

function late(): NodeJS.ErrnoException {
  return Object.assign(new Error('There was no turn to look the name up.'), { code: 'EAI_AGAIN' })
}
