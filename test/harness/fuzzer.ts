import { readFileSync } from 'node:fs'
import { SCOPES } from '@posthaste/core'
import fc from 'fast-check'
import { doorAttempts } from './door-attempts.js'
import { DoorFuzz } from './door-fuzz.js'
import { randomDoorRequests } from './door-requests.js'
import { checkCaller, checkDescribed, checkProblem, checkStatuses, type FuzzCaller, type Given } from './fuzz-checks.js'
import { type Answered, Wire } from './fuzz-wire.js'
import { type ApiDocument, type RandomRequest, randomRequests } from './random-requests.js'
import { mutatedRequests, type RawAttempt, rawAttempts } from './raw-attempts.js'

export interface FuzzOptions {
  /** Of the process. */
  readonly url: string
  readonly pid: number
  /** What it may call. */
  readonly targetUrl: string
  readonly requests: number
  /** To front doors. */
  readonly doorRequests: number
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
const IDS_MAX = 1_000

/** Sends a process what it must withstand. */
export class Fuzzer {
  readonly #options: FuzzOptions
  readonly #wire: Wire
  readonly #callers: readonly FuzzCaller[]
  readonly #done: Record<string, number> = {}
  readonly #faults: string[] = []
  /** By the first part of the path where they are known. */
  readonly #given: Record<string, Given[]> = {}
  #memoryMaxMiB = 0

  constructor(options: FuzzOptions) {
    this.#options = options
    this.#wire = new Wire(options.url, WORKERS)
    this.#callers = options.callers ?? [{ tenant: '', scopes: SCOPES, isKnown: true }]
  }

  async run(): Promise<FuzzReport> {
    const looking = setInterval(() => this.#lookAtMemory(), LOOK_MS)
    const { doorRequests, mutations, requests, targetUrl, url } = this.#options
    const doors = new DoorFuzz(this.#wire, this.#callers)
    try {
      const document = (await (await fetch(`${url}/openapi.json`)).json()) as ApiDocument
      for (const { operationId } of Object.values(document.paths).flatMap(Object.values)) this.#done[operationId] = 0
      const token = this.#callers[0]?.token
      for (const attempt of [...rawAttempts(targetUrl, token), ...doorAttempts(targetUrl, token)])
        await this.#attempt(attempt)
      await this.#check(mutatedRequests(targetUrl), mutations, async (bytes) => {
        checkStatuses(await this.#wire.sendRaw(bytes, () => false, QUIET_MS))
      })
      await this.#check(randomRequests(document, targetUrl), requests, (one) => this.#send(one))
      await this.#check(randomDoorRequests(targetUrl), doorRequests, (one) => doors.send(one))
      if ((await fetch(`${url}/livez`)).status !== 200) this.#faults.push('It no longer lives.')
    } finally {
      clearInterval(looking)
      this.#wire.close()
    }
    const { statuses } = this.#wire
    const done = { ...this.#done, ...doors.done }
    return { faults: this.#faults, statuses, done, memoryMaxMiB: this.#memoryMaxMiB }
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
    return typeof id === 'number' && path.includes('{id}') ? given[id % given.length] : undefined
  }

  #exchange(
    { body, headers, method, path, query }: RandomRequest,
    { token }: FuzzCaller,
    id: string,
  ): Promise<Answered> {
    const search = query.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')
    return this.#wire.exchange({
      method,
      path: `${path.replace('{id}', encodeURIComponent(id))}${search && `?${search}`}`,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && {
          'content-type': 'application/json',
          'content-length': `${Buffer.byteLength(body)}`,
        }),
        ...headers,
      },
      body,
    })
  }

  async #attempt({ answers, bytes, endsEarly, name }: RawAttempt): Promise<void> {
    const isAnswer = (so: readonly number[]): boolean => answers.test(so.join(' '))
    const statuses = await this.#wire.sendRaw(bytes, isAnswer, endsEarly && QUIET_MS)
    if (!isAnswer(statuses)) this.#faults.push(`${name}: ${statuses.join(' ') || 'no answer'}, not ${answers}`)
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
  const smallest = JSON.stringify(counterexample, (name, value) =>
    name === 'operation' ? (value.operationId ?? value.name) : value,
  )
  return `${errorInstance} Seed ${seed}, path ${counterexamplePath}: ${smallest}`
}
