import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import fc from 'fast-check'
import {
  type Answered,
  checkCaller,
  checkDescribed,
  checkProblem,
  checkStatuses,
  type FuzzCaller,
  type Given,
} from './fuzz-checks.js'
import { type ApiDocument, type RandomRequest, randomRequests } from './random-requests.js'
import { mutatedRequests, type RawAttempt, rawAttempts } from './raw-attempts.js'

export interface FuzzOptions {
  /** Of the process. */
  readonly url: string
  readonly pid: number
  /** What it may call. */
  readonly targetUrl: string
  readonly requests: number
  /** Besides the attempts that there always are. */
  readonly mutations: number
  readonly seed: number
  /** Who asks, by turns; one who needs no token if left out. */
  readonly callers?: readonly FuzzCaller[]
}

export interface FuzzReport {
  /** What is wrong, with the smallest request that shows it; nothing should be. */
  readonly faults: readonly string[]
  /** How often each status came. */
  readonly statuses: Readonly<Record<string, number>>
  /** How often each operation was done: what is refused early tests little. */
  readonly done: Readonly<Record<string, number>>
  /** Anonymous memory of the process, at the most; 0 where that is not to be known. */
  readonly memoryMaxMiB: number
}

const WORKERS = 8
const LOOK_MS = 100
/** After that long without a byte a connection has its end. */
const QUIET_MS = 50
/** An answer that takes longer does not come. */
const ANSWER_MS_MAX = 30_000
const IDS_MAX = 1_000

/** Sends a process what it must withstand. */
export class Fuzzer {
  readonly #options: FuzzOptions
  readonly #agent = new Agent({ keepAlive: true, maxSockets: WORKERS })
  readonly #callers: readonly FuzzCaller[]
  readonly #statuses: Record<string, number> = {}
  readonly #done: Record<string, number> = {}
  readonly #faults: string[] = []
  /** By the first part of the path where they are known. */
  readonly #given: Record<string, Given[]> = {}
  #memoryMaxMiB = 0

  constructor(options: FuzzOptions) {
    this.#options = options
    this.#callers = options.callers ?? [{ tenant: '', isKnown: true }]
  }

  async run(): Promise<FuzzReport> {
    const looking = setInterval(() => this.#lookAtMemory(), LOOK_MS)
    try {
      const { mutations, requests, targetUrl, url } = this.#options
      const document = (await (await fetch(`${url}/openapi.json`)).json()) as ApiDocument
      for (const { operationId } of Object.values(document.paths).flatMap(Object.values)) this.#done[operationId] = 0
      for (const attempt of rawAttempts(targetUrl, this.#callers[0]?.token)) await this.#attempt(attempt)
      await this.#check(mutatedRequests(targetUrl), mutations, async (bytes) => {
        checkStatuses(await this.#sendRaw(bytes, QUIET_MS, () => false))
      })
      await this.#check(randomRequests(document, targetUrl), requests, (one) => this.#send(one))
      if ((await fetch(`${url}/livez`)).status !== 200) this.#faults.push('It no longer lives.')
    } finally {
      clearInterval(looking)
      this.#agent.destroy()
    }
    return { faults: this.#faults, statuses: this.#statuses, done: this.#done, memoryMaxMiB: this.#memoryMaxMiB }
  }

  /** Several at a time, each with a seed of its own. */
  async #check<T>(arbitrary: fc.Arbitrary<T>, runs: number, check: (value: T) => Promise<void>): Promise<void> {
    const numRuns = Math.ceil(runs / WORKERS)
    const workers = Array.from({ length: WORKERS }, async (_, index) => {
      const seed = this.#options.seed + index
      const details = await fc.check(fc.asyncProperty(arbitrary, check), { seed, numRuns })
      if (details.failed) this.#faults.push(faultOf(details))
    })
    await Promise.all(workers)
  }

  async #send(one: RandomRequest): Promise<void> {
    const caller = this.#callers[one.caller % this.#callers.length] as FuzzCaller
    const given = this.#givenFor(one)
    const answered = await this.#exchange(one, caller, given?.id ?? String(one.id))
    const { status, text } = answered
    this.#note(status)
    checkStatuses([status])
    checkDescribed(one, answered)
    if (status >= 400 && one.method !== 'HEAD') checkProblem(answered)
    checkCaller(one, caller, given, status)
    if (status < 300 && one.isDescribed) {
      const { operationId } = one.operation
      this.#done[operationId] = (this.#done[operationId] ?? 0) + 1
      this.#remember(one, caller, text)
    }
  }

  #givenFor({ id, path }: RandomRequest): Given | undefined {
    const given = this.#given[kindOf(path)] ?? []
    return typeof id === 'number' ? given[id % given.length] : undefined
  }

  #exchange(
    { body, headers, method, path, query }: RandomRequest,
    { token }: FuzzCaller,
    id: string,
  ): Promise<Answered> {
    const search = query.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')
    const url = `${path.replace('{id}', encodeURIComponent(id))}${search && `?${search}`}`
    return new Promise((resolve, reject) => {
      const sent = request(this.#options.url, {
        agent: this.#agent,
        method,
        path: url,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      })
      sent.on('error', reject)
      sent.on('response', (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text }),
        )
      })
      sent.end(body)
    })
  }

  async #attempt({ answers, bytes, endsEarly, name }: RawAttempt): Promise<void> {
    const quietMs = endsEarly ? QUIET_MS : ANSWER_MS_MAX
    const statuses = (await this.#sendRaw(bytes, quietMs, (so) => answers.test(so.join(' ')))).join(' ')
    if (!answers.test(statuses)) this.#faults.push(`${name}: ${statuses || 'no answer'}, not ${answers}`)
  }

  /** The statuses of what is answered to these bytes. It is the end once they are `enough`, or nothing comes for long. */
  async #sendRaw(
    bytes: string | Buffer,
    quietMs: number,
    enough: (statuses: readonly number[]) => boolean,
  ): Promise<number[]> {
    const { hostname, port } = new URL(this.#options.url)
    const socket = connect({ port: Number(port), host: hostname, timeout: quietMs })
    let text = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part
      if (enough(statusesOf(text))) socket.end()
    })
    socket.on('timeout', () => socket.end())
    // Who is cut off while he sends gets an error.
    socket.on('error', () => {})
    socket.write(bytes)
    await once(socket, 'close')
    const statuses = statusesOf(text)
    for (const status of statuses) this.#note(status)
    return statuses
  }

  #note(status: number): void {
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1
  }

  #remember({ method, path }: RandomRequest, { tenant }: FuzzCaller, text: string): void {
    const id = /"id":"([^"]+)"/.exec(text)?.[1]
    if (method !== 'POST' || path.includes('{id}') || id === undefined) return
    const kind = kindOf(path)
    const given = this.#given[kind] ?? []
    this.#given[kind] = given
    if (given.length < IDS_MAX) given.push({ id, tenant })
    else given[Math.floor(Math.random() * IDS_MAX)] = { id, tenant }
  }

  #lookAtMemory(): void {
    try {
      const [, kib] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#options.pid}/status`, 'utf8')) ?? []
      this.#memoryMaxMiB = Math.max(this.#memoryMaxMiB, Math.round(Number(kib ?? 0) / 1024))
    } catch {
      // Not Linux, or the process has ended, which the next request tells.
    }
  }
}

/** `invocations` or `schedules`, where there are ids. */
function kindOf(path: string): string {
  return path.split('/')[1] ?? ''
}

function faultOf<T>({ counterexample, counterexamplePath, errorInstance, seed }: fc.RunDetails<T>): string {
  const smallest = JSON.stringify(counterexample, (name, value) => (name === 'operation' ? value.operationId : value))
  return `${errorInstance} Seed ${seed}, path ${counterexamplePath}: ${smallest}`
}

function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
}
