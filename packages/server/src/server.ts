import { setTimeout as sleep } from 'node:timers/promises'
import { Accepter, type AccepterOptions, type Activity, type Metrics, type Readiness } from '@posthaste/accepter'
import { acceptedRecordBytesMax, isLoopbackHost, LIMITS, PosthasteError, systemClock } from '@posthaste/core'
import type { Logger } from 'pino'
import { type Backend, openBackend } from './backend.js'
import { Callers } from './callers.js'
import { ClockWatch } from './clock-watch.js'
import type { Config } from './config/table.js'
import { doorOptions } from './door-options.js'
import { egressPolicyOf, withLoopbackIfLocal } from './egress.js'
import { Functions } from './functions.js'
import { type ListenerPart, LocalListener } from './listener-part.js'
import { ListenerThread } from './listener-thread.js'
import { ServerMetrics } from './metrics.js'
import { Rates } from './rates.js'
import { ViewThread } from './view-thread.js'

/** Which parts of Posthaste a process runs. */
export type Role = 'all' | 'accepter' | 'listener'

/** How long the listener may take to say whether it is ready. */
const ANSWER_MS_MAX = 2_000
/** The largest instruction to be accepted must be able to have so many bytes. */
const ACCEPTED_BYTES_MIN = 64 * 1024
/** How often to try again where the stream is away. */
const RETRY_MS = 1_000

/** One Posthaste process: a stream, and on it an accepter, a listener, or both, each with a thread of its own. */
export class Server {
  readonly #config: Config
  readonly #role: Role
  readonly #log: Logger
  readonly #callers: Callers
  readonly #functions: Functions
  readonly #accepter: Accepter
  /** Serves operators apart from the others, if that is wanted. */
  readonly #admin: Accepter | undefined
  readonly #clockWatch: ClockWatch
  readonly #metrics = new ServerMetrics()
  readonly #stopping = new AbortController()
  #backend: Backend | undefined
  #listener: ListenerPart | undefined
  #view: ViewThread | undefined
  #rates: Rates | undefined
  /** Whether the parts besides the accepter have started. */
  #isWhole = false
  /** What the start waits for; undefined once it is done. */
  #waiting: string | undefined
  #watching: Promise<void> | undefined
  #starting: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  #fail: (error: Error) => void = () => undefined
  /** Rejects if the stream, away at the start, turns out to be one that cannot be used. Otherwise it never settles. */
  readonly failure = new Promise<never>((_, reject) => {
    this.#fail = reject
  })

  /** @throws PosthasteError `invalid-configuration` */
  constructor(config: Config, role: Role, log: Logger) {
    this.#config = withLoopbackIfLocal(config, role)
    this.#role = role
    this.#log = log
    this.#callers = new Callers(config, log)
    this.#functions = new Functions(config.functions, log)
    if (config.functions) this.#metrics.watchFunctions(this.#functions)
    if (role !== 'listener' && config.view === 'on') this.#openView()
    const { adminHost, adminPort } = config
    const isApart = adminPort !== 'off'
    this.#accepter = this.#createAccepter({ ...(isApart && { serves: (scope) => scope !== 'operate' }) })
    if (isApart) this.#admin = this.#createAccepter(adminOptions(adminHost, adminPort))
    this.#clockWatch = new ClockWatch(log)
    // Who does not look at it learns from what `start` throws, or not at all.
    this.failure.catch(() => undefined)
  }

  /**
   * Starts and returns the URL that it listens on. If it cannot, it is stopped. A stream that is away is waited for
   * behind it: until then nothing is accepted, and `/readyz` says why.
   * @throws PosthasteError `stream-unfit` or `invalid-configuration`; an error of the system if the address cannot be had
   */
  async start(): Promise<string> {
    try {
      return await this.#start()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async #start(): Promise<string> {
    this.#backend = await openBackend(this.#config, this.#log)
    if (this.#role === 'listener')
      this.#listener = new LocalListener(this.#config, this.#backend, this.#log, this.#functions.now)
    if (this.#role === 'all') this.#listener = new ListenerThread(this.#config, this.#functions)
    const isStreamThere = await this.#try(this.#startStream(this.#backend), 'This process')
    const url = await this.#accepter.start()
    const adminUrl = (await this.#admin?.start()) ?? url
    if (adminUrl !== url) this.#log.info({ url: adminUrl }, 'operators are served apart')
    this.#callers.start()
    this.#functions.start()
    // Where it is, others learn who would ping it.
    if (isStreamThere && (await this.#startParts(adminUrl))) return url
    this.#starting = this.#startLater(this.#backend, adminUrl).catch((error: Error) => this.#fail(error))
    return url
  }

  /** Waits for the stream, however long it takes. */
  async #startLater(backend: Backend, url: string): Promise<void> {
    const { signal } = this.#stopping
    do await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
    while (
      !signal.aborted &&
      !((await this.#try(this.#startStream(backend), 'This process')) && (await this.#startParts(url)))
    )
    if (!signal.aborted) this.#log.info({}, 'the stream is there')
  }

  async #startParts(url: string): Promise<boolean> {
    if (this.#view && !(await this.#try(this.#view.start(), 'The view'))) return false
    if (this.#listener && !(await this.#try(this.#listener.start(url), 'The listener'))) return false
    this.#isWhole = true
    this.#waiting = undefined
    return true
  }

  async #startStream({ stream }: Backend): Promise<void> {
    await stream.start()
    this.#checkLimits()
    this.#watching ??= this.#clockWatch.run(stream, this.#stopping.signal)
  }

  /** @throws PosthasteError `stream-unfit` if next to nothing could be accepted */
  #checkLimits(): void {
    if (this.#recordBytesMax >= ACCEPTED_BYTES_MIN) return
    const { recordBytesMax } = (this.#backend as Backend).stream.supports
    const detail =
      `The stream takes records of ${recordBytesMax} bytes. With responses of up to ${this.#config.responseSize} bytes in ` +
      `the journal, instructions of ${Math.max(0, this.#recordBytesMax)} bytes could be accepted; ${ACCEPTED_BYTES_MIN} are ` +
      "wanted. Raise the broker's limit, or lower POSTHASTE_RESPONSE_SIZE."
    throw new PosthasteError('stream-unfit', detail)
  }

  /** Whether a step of the start succeeded, or must be tried again, for which `who` waits. */
  async #try(step: Promise<void>, who: string): Promise<boolean> {
    try {
      await step
      return true
    } catch (error) {
      if (!(error instanceof PosthasteError) || error.code !== 'stream-unavailable') throw error
      const level = this.#waiting === undefined ? 'warn' : 'debug'
      this.#log[level]({ err: error }, 'the stream is away; trying again')
      this.#waiting = `${who} waits for the stream: ${error.message}`
      return false
    }
  }

  /**
   * Takes nothing new, answers what it took, lets running calls end for the grace period and gives up the rest, which is
   * called again by whoever comes next. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([
      this.#accepter.stop(),
      this.#admin?.stop(),
      this.#listener?.stop(),
      this.#callers.stop(),
      this.#functions.stop(),
    ])
    this.#rates?.stop()
    await this.#view?.stop()
    await this.#backend?.close()
    await Promise.all([this.#starting, this.#watching])
  }

  #openView(): void {
    const view = new ViewThread(this.#config)
    this.#view = view
    this.#rates = new Rates(() => view.counts())
    this.#metrics.watchView(view)
  }

  #createAccepter(more: Partial<AccepterOptions>): Accepter {
    const recordBytesMax = (): number => this.#recordBytesMax
    const { credentials } = this.#callers
    const { pingSecret } = this.#config
    return new Accepter({
      host: this.#config.host,
      port: this.#config.port,
      clock: systemClock,
      log: this.#log,
      connectionsMax: this.#config.connections,
      ...(credentials && { credentials }),
      ...(pingSecret !== '' && { pingSecret }),
      egress: egressPolicyOf(this.#config, this.#functions.now),
      doors: doorOptions(this.#config, this.#functions),
      onRefused: (code) => this.#metrics.refused(code),
      readiness: () => this.#readiness(),
      ...(this.#role !== 'listener' && {
        invocations: {
          get recordBytesMax() {
            return recordBytesMax()
          },
          append: (log, records) => (this.#backend as Backend).stream.append(log, records),
          maxAgeMs: this.#config.retryMaxAge,
          onAccepted: (durationMs, count) => this.#metrics.accepted(durationMs, count),
        },
      }),
      ...(this.#view && { view: this.#view }),
      activity: () => this.#activity(),
      metrics: () => this.#measure(),
      ...(this.#role !== 'accepter' && { cycle: { ping: (waitMs) => this.#runningListener().ping(waitMs) } }),
      ...more,
    })
  }

  async #activity(): Promise<Activity> {
    const rates = this.#rates?.now() ?? { acceptedPerSecond: 0, endedPerSecond: 0 }
    return this.#listener && this.#isWhole ? { rates, listener: await this.#listener.report() } : { rates }
  }

  /** What this thread measures, and what the listener's does. */
  async #measure(): Promise<Metrics> {
    const listener = this.#listener && this.#isWhole ? await this.#listener.metrics() : ''
    return { contentType: this.#metrics.contentType, text: `${await this.#metrics.text()}${listener}` }
  }

  /** What a broker takes is known once it is there. */
  get #recordBytesMax(): number {
    const { recordBytesMax } = this.#backend?.stream.supports ?? LIMITS
    return acceptedRecordBytesMax(recordBytesMax, this.#config.responseSize)
  }

  #runningListener(): ListenerPart {
    if (!this.#listener || !this.#isWhole) throw new PosthasteError('stream-unavailable', 'The listener is starting.')
    return this.#listener
  }

  async #readiness(): Promise<Readiness> {
    const found = this.#waiting === undefined ? [await this.#away(), await this.#blocked()] : [this.#waiting]
    const reasons = found.filter((reason) => reason !== undefined)
    if (this.#stopped) reasons.push('This process is stopping.')
    return { ready: reasons.length === 0, reasons, clock: this.#clockWatch.skew }
  }

  /** Why the stream takes nothing; undefined if it does. */
  async #away(): Promise<string | undefined> {
    const health = await (this.#backend as Backend).stream.health()
    return health.ready ? undefined : health.reason
  }

  /** Why the listener does nothing; undefined if it works, or there is none. */
  async #blocked(): Promise<string | undefined> {
    if (!this.#listener || this.#stopped) return undefined
    if (!this.#isWhole) return 'The listener is starting.'
    const late = sleep(ANSWER_MS_MAX, 'The listener does not answer.', { ref: false })
    return Promise.race([this.#listener.blocked(), late])
  }
}

/** On loopback, whoever gets there operates the machine. */
function adminOptions(host: string, port: number): Partial<AccepterOptions> {
  const serves: AccepterOptions['serves'] = (scope) => scope === 'operate' || scope === 'open'
  return { host, port, serves, ...(isLoopbackHost(host) && { credentials: undefined }) }
}
