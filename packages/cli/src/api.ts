import { CommandError, EXIT, type ExitCode } from './exit-codes.js'

/** An answer may take so long, beyond what it was asked to wait. */
const ANSWER_MS_MAX = 60_000

export interface ApiRequest {
  /** What is undefined is left out. */
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: object
  /** How long the answer may be held back, as `?wait=`; a whole number, up to a minute. */
  readonly waitMs?: number | undefined
}

export interface Answer<T> {
  readonly status: number
  readonly document: T
}

/** What the API says of an error (RFC 9457). */
interface Problem {
  readonly detail: string
  readonly code: string
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

/** The HTTP API of a Posthaste process. Whatever is no success is thrown as a CommandError. */
export class Api {
  readonly #url: string
  readonly #credentials: Readonly<Record<string, string>>

  constructor(url: string, token?: string) {
    this.#url = url.replace(/\/+$/, '')
    this.#credentials = token === undefined ? {} : { authorization: `Bearer ${token}` }
  }

  /** Asks, and returns the JSON that is answered. */
  async ask<T>(method: string, path: string, request: ApiRequest = {}): Promise<Answer<T>> {
    const response = await this.#request(method, path, request)
    const document = parseJson(await this.#read(response))
    if (document === undefined) throw this.#foreign(response.status)
    return { status: response.status, document: document as T }
  }

  /** Returns the body of an answer as it is. */
  async bytes(path: string): Promise<Uint8Array> {
    return this.#read(await this.#request('GET', path, {}))
  }

  async #request(method: string, path: string, { query = {}, headers, body, waitMs }: ApiRequest): Promise<Response> {
    const search = searchOf({ ...query, wait: waitMs === undefined ? undefined : `${waitMs}ms` })
    const response = await this.#reach(
      fetch(`${this.#url}${path}${search}`, {
        method,
        headers: { ...this.#credentials, ...headers, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
        redirect: 'manual',
        signal: AbortSignal.timeout((waitMs ?? 0) + ANSWER_MS_MAX),
      }),
    )
    if (!response.ok) throw await this.#refusal(response)
    return response
  }

  async #read(response: Response): Promise<Buffer> {
    return Buffer.from(await this.#reach(response.arrayBuffer()))
  }

  async #reach<T>(step: Promise<T>): Promise<T> {
    try {
      return await step
    } catch (error) {
      const { message, cause } = error as Error
      const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : message
      throw new CommandError(
        EXIT.unavailable,
        `Posthaste cannot be reached at ${this.#url}: ${reason}. Does it run? Say where with --url or POSTHASTE_URL.`,
        { cause: error },
      )
    }
  }

  async #refusal(response: Response): Promise<CommandError> {
    const problem = parseJson(await this.#read(response))
    if (!isProblem(problem)) return this.#foreign(response.status)
    const after = response.headers.get('retry-after')
    const hint = response.status === 401 ? ' Give a token with POSTHASTE_TOKEN.' : ''
    return new CommandError(
      exitCodeOf(response.status),
      `${describeProblem(problem)} (${problem.code})${hint}${after === null ? '' : ` Try again in ${after} s.`}`,
    )
  }

  #foreign(status: number): CommandError {
    const isAway = exitCodeOf(status) === EXIT.unavailable
    return new CommandError(
      isAway ? EXIT.unavailable : EXIT.failed,
      `${this.#url} answered ${status}, and not as Posthaste does. Say where it is with --url or POSTHASTE_URL.`,
    )
  }
}

function exitCodeOf(status: number): ExitCode {
  if (status === 404) return EXIT.notFound
  if (status === 409 || status === 422) return EXIT.conflict
  if ([408, 429, 502, 503, 504].includes(status)) return EXIT.unavailable
  return status < 500 ? EXIT.misused : EXIT.failed
}

/** Every wrong field in a line of its own; the detail says the first of them. */
function describeProblem({ detail, errors = [] }: Problem): string {
  return errors.length < 2 ? detail : errors.map((field) => `${field.pointer}: ${field.detail}`).join('\n')
}

function isProblem(document: unknown): document is Problem {
  const { code, detail } = Object(document) as Partial<Problem>
  return typeof code === 'string' && typeof detail === 'string'
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}

function searchOf(query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`
}
