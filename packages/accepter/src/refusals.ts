import type { ErrorCode, Log, PosthasteError } from '@posthaste/core'

/** For so long nothing may have been refused until it counts as over: what comes and goes is not to fill the log. */
const QUIET_MS = 1_000

interface Outage {
  readonly codes: Set<ErrorCode>
  refused: number
  /** Runs since something was taken, until something is refused. */
  quiet: NodeJS.Timeout | undefined
}

/** Logs what is refused: a line for the first of each code, and one when it is over. What lies between is for `debug`. */
export class Refusals {
  readonly #log: Log
  readonly #quietMs: number
  /** By where they are: a path, or `connections`. */
  readonly #outages = new Map<string, Outage>()

  constructor(log: Log, quietMs = QUIET_MS) {
    this.#log = log
    this.#quietMs = quietMs
  }

  refused(where: string, { code, message }: PosthasteError): void {
    const outage = this.#outages.get(where) ?? { codes: new Set(), refused: 0, quiet: undefined }
    this.#outages.set(where, outage)
    clearTimeout(outage.quiet)
    outage.quiet = undefined
    // Without the stack: it is no fault of the code.
    this.#log[outage.codes.has(code) ? 'debug' : 'warn']({ where, code, reason: message }, 'requests are refused')
    outage.codes.add(code)
    outage.refused += 1
  }

  /** Tells of what was not refused. */
  taken(where: string): void {
    const outage = this.#outages.get(where)
    if (outage) outage.quiet ??= setTimeout(() => this.#over(where, outage), this.#quietMs)
  }

  stop(): void {
    for (const { quiet } of this.#outages.values()) clearTimeout(quiet)
    this.#outages.clear()
  }

  #over(where: string, { refused }: Outage): void {
    this.#outages.delete(where)
    this.#log.info({ where, refused }, 'requests are taken again')
  }
}
