import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('./function-main.js', import.meta.url))
const LOOK_MS = 10
const GOT_MS_MAX = 60_000

/** A request that a function got. */
export interface FunctionArrival {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Our own headers on the way, and those of any connection: the rest is what a front door tells as its system does. */
const OURS = /^(posthaste-.*|idempotency-key|user-agent|host|connection|content-length|transfer-encoding)$/

export function withoutOurs({ headers }: FunctionArrival): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OURS.test(name)))
}

/** A real function: a process of its own that serves HTTP, as `function-main.ts` says. */
export class FunctionProcess {
  /** Without a slash at its end. */
  readonly url: string
  /** What came, in its order. */
  readonly arrivals: readonly FunctionArrival[]

  /** It ends with the test. */
  static async start(t: { after(work: () => void): unknown }): Promise<FunctionProcess> {
    const child = spawn(process.execPath, [MAIN], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })
    const [first] = (await once(lines, 'line')) as [string]
    const arrivals: FunctionArrival[] = []
    lines.on('line', (line) => arrivals.push(JSON.parse(line) as FunctionArrival))
    return new FunctionProcess((JSON.parse(first) as { url: string }).url, arrivals)
  }

  private constructor(url: string, arrivals: readonly FunctionArrival[]) {
    this.url = url
    this.arrivals = arrivals
  }

  /** The requests with a body. */
  with(body: string): FunctionArrival[] {
    return this.arrivals.filter((arrival) => arrival.body === body)
  }

  /** Resolves with the first request that has a body, or the `nth`. @throws Error if none comes */
  got(body: string, { nth = 1 } = {}): Promise<FunctionArrival> {
    return this.found(body, (arrival) => arrival.body === body, nth)
  }

  /** Resolves with the first request that is so, or the `nth`. @throws Error with `what`, if none comes */
  async found(what: string, isIt: (arrival: FunctionArrival) => boolean, nth = 1): Promise<FunctionArrival> {
    const untilMs = performance.now() + GOT_MS_MAX
    for (;;) {
      const found = this.arrivals.filter(isIt)[nth - 1]
      if (found) return found
      if (performance.now() > untilMs) throw new Error(`The function waited for ${what} in vain.`)
      await sleep(LOOK_MS)
    }
  }
}
