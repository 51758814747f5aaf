import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { environmentName, type SettingKey } from '@posthaste/server'

const MAIN = fileURLToPath(new URL('../../../packages/cli/dist/src/main.js', import.meta.url))
/** Where all targets of the tests are, but for those that test just this. */
const TARGETS = '127.0.0.0/8'
/** Lines kept of what a process printed: the last ones. */
const LINES_MAX = 2_000
const READY_LOOK_MS = 10
const READY_MS_MAX = 45_000

export type Role = 'start' | 'accepter' | 'listener' | 'cycle'

/** As text: `{ linger: '0ms' }`. */
export type Settings = Readonly<Partial<Record<SettingKey, string>>>

export interface PosthasteOptions {
  readonly role: Role
  /** Of the embedded stream; may also stand among the settings. */
  readonly dataDir?: string
  /** Over the defaults of the product and a free port. */
  readonly settings?: Settings
  /** Arguments to Node itself, such as `--cpu-prof`. */
  readonly nodeArguments?: readonly string[]
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** One line that a process printed: its JSON, or `{ text }` if it is none. */
export type LogLine = Readonly<Record<string, unknown>>

const alive = new Set<PosthasteProcess>()
process.on('exit', () => {
  for (const one of alive) one.kill('SIGKILL')
})
// A test that takes too long is ended by a signal, by tap with SIGALRM, and nothing of it may stay.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGALRM'] as const) process.once(signal, () => process.exit(1))

/** A real `posthaste` process. None outlives the test process. */
export class PosthasteProcess {
  readonly role: Role
  /** Settles when the process has ended, whatever ended it. */
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #lines: LogLine[] = []
  readonly #listening: Promise<string>
  #url: string | undefined
  #ready = false
  #exit: Exit | undefined

  /** Starts a process and resolves once `/readyz` answers 200. */
  static async start(options: PosthasteOptions): Promise<PosthasteProcess> {
    const posthaste = new PosthasteProcess(options)
    try {
      await posthaste.ready()
      return posthaste
    } catch (error) {
      // Nobody else can, and the test process would not end.
      posthaste.kill()
      throw error
    }
  }

  /** Starts a process and waits for nothing. */
  constructor({ role, dataDir, settings = {}, nodeArguments = [] }: PosthasteOptions) {
    this.role = role
    const env: NodeJS.ProcessEnv = {}
    // What the developer's shell says of Posthaste is not for the test.
    for (const name of Object.keys(process.env)) if (!name.startsWith('POSTHASTE_')) env[name] = process.env[name]
    const given = { port: '0', allowAddresses: TARGETS, ...settings, ...(dataDir !== undefined && { dataDir }) }
    for (const [key, value] of Object.entries(given)) env[environmentName(key)] = value
    this.#child = spawn(process.execPath, ['--enable-source-maps', ...nodeArguments, MAIN, role], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    alive.add(this)
    this.exited = this.#watchExit()
    this.#listening = new Promise((resolve) => {
      this.#readLines(resolve)
    })
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /** Where it listens; known once it is ready. */
  get url(): string {
    if (this.#url === undefined) throw new Error(`posthaste ${this.role} does not listen yet`)
    return this.#url
  }

  /** Whether it was seen ready and has not ended since. */
  get isReady(): boolean {
    return this.#ready && this.#exit === undefined
  }

  /** How it ended; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit
  }

  /** What it printed last, to standard output and standard error. */
  get lines(): readonly LogLine[] {
    return this.#lines
  }

  /** Resolves once it listens, ready or not, with its URL. @throws Error as `ready` does */
  async listening(timeoutMs = READY_MS_MAX): Promise<string> {
    const late = sleep(timeoutMs, undefined, { ref: false })
    this.#url = await Promise.race([this.#listening, this.exited.then(() => undefined), late])
    if (this.#url === undefined) throw this.#notReady()
    return this.#url
  }

  /** Resolves once `/readyz` answers 200. @throws Error with what it printed, if it ends or takes too long */
  async ready(timeoutMs = READY_MS_MAX): Promise<void> {
    const untilMs = performance.now() + timeoutMs
    await this.listening(timeoutMs)
    while (this.#exit === undefined && performance.now() < untilMs) {
      const response = await fetch(`${this.#url}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
      await response?.arrayBuffer().catch(() => undefined)
      if (response?.status === 200) {
        this.#ready = true
        return
      }
      await sleep(READY_LOOK_MS)
    }
    throw this.#notReady()
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (this.#exit === undefined) this.#child.kill(signal)
  }

  /** Asks it to stop, as an operator does, and resolves when it has. A process that was frozen wakes up for it. */
  stop(): Promise<Exit> {
    this.kill('SIGTERM')
    this.kill('SIGCONT')
    return this.exited
  }

  #notReady(): Error {
    const printed = this.#lines.map((line) => JSON.stringify(line)).join('\n')
    return new Error(`posthaste ${this.role} is not ready (exit ${JSON.stringify(this.#exit)}):\n${printed}`)
  }

  async #watchExit(): Promise<Exit> {
    const [code, signal] = (await once(this.#child, 'close')) as [number | null, NodeJS.Signals | null]
    this.#exit = { code, signal }
    alive.delete(this)
    return this.#exit
  }

  #readLines(listening: (url: string) => void): void {
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (text) => {
        const line = parseLine(text)
        this.#lines.push(line)
        if (this.#lines.length > LINES_MAX) this.#lines.splice(0, LINES_MAX / 2)
        if (typeof line.url === 'string') listening(line.url)
      })
    }
  }
}

function parseLine(text: string): LogLine {
  try {
    const line: unknown = JSON.parse(text)
    if (typeof line === 'object' && line !== null) return line as LogLine
  } catch {
    // Not every line is a log line: a report has many, a crash none.
  }
  return { text }
}
