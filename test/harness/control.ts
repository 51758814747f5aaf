import type { InstructionInput, InvocationState } from '@posthaste/core'
import type { Answered, Client } from './client.js'

/** An invocation as the API shows it, as far as tests look at it. Times are RFC 3339. */
export interface Shown {
  readonly id: string
  readonly state: InvocationState
  readonly generation: number
  readonly createdAt: string
  readonly endedAt?: string
  readonly nextAttemptAt?: string
  /** The number of the last attempt of this generation that was made. */
  readonly attemptsMade: number
  /** Not in a list. */
  readonly attempts: readonly ShownAttempt[]
  readonly failure?: { readonly code: string }
  /** What was asked and is not done yet. */
  readonly pendingChange?: { readonly kind: string }
}

export interface ShownAttempt {
  readonly generation: number
  readonly attempt: number
  readonly startedAt: string
  readonly durationMs: number
  readonly status?: number
  readonly failure?: { readonly code: string }
}

export interface Page {
  readonly invocations: readonly Shown[]
  readonly next?: string
}

export interface Bulk {
  readonly filter?: Readonly<Record<string, string | readonly string[]>>
  readonly rate?: number
  readonly dryRun?: true
  readonly limit?: number
  readonly cursor?: string
}

/** What a bulk operation answers. */
export interface BulkReport {
  readonly matched: number
  readonly done: number
  readonly skipped: number
  readonly next?: string
}

/** The API of one Posthaste process, an operation each. Answers come as they are, whatever their status. */
export class Control {
  readonly url: string
  readonly #client: Client

  constructor(client: Client, url: string) {
    this.#client = client
    this.url = url
  }

  accept(instruction: InstructionInput, key?: string): Promise<Answered> {
    return this.#ask('POST', '/invocations', instruction, key === undefined ? {} : { 'idempotency-key': key })
  }

  batch(invocations: readonly unknown[]): Promise<Answered> {
    return this.#ask('POST', '/invocations/batch', { invocations })
  }

  get(id: string, query = ''): Promise<Answered> {
    return this.#ask('GET', `/invocations/${id}${query}`)
  }

  list(query: Readonly<Record<string, string>>): Promise<Answered> {
    return this.#ask('GET', `/invocations?${new URLSearchParams(query)}`)
  }

  /** Lists to the end, page by page. @throws Error if a page is not 200 */
  async listAll(query: Readonly<Record<string, string>> = {}): Promise<Shown[]> {
    const all: Shown[] = []
    let cursor: string | undefined
    do {
      const { json, status, text } = await this.list({ limit: '500', ...query, ...(cursor && { cursor }) })
      if (status !== 200) throw new Error(`A list answered ${status}: ${text}`)
      const { invocations, next } = json as Page
      all.push(...invocations)
      cursor = next
    } while (cursor !== undefined)
    return all
  }

  cancel(id: string, query = ''): Promise<Answered> {
    return this.#ask('DELETE', `/invocations/${id}${query}`)
  }

  move(id: string, notBeforeMs: number, query = ''): Promise<Answered> {
    const body = { notBefore: new Date(notBeforeMs).toISOString() }
    return this.#ask('PATCH', `/invocations/${id}${query}`, body)
  }

  redrive(id: string): Promise<Answered> {
    return this.#ask('POST', `/invocations/${id}/redrive`)
  }

  bulk(what: 'cancel' | 'redrive', bulk: Bulk): Promise<Answered> {
    return this.#ask('POST', `/${what}`, bulk)
  }

  stats(): Promise<Answered> {
    return this.#ask('GET', '/stats')
  }

  #ask(method: string, path: string, body?: object, headers: Readonly<Record<string, string>> = {}): Promise<Answered> {
    return this.#client.request(
      `${this.url}${path}`,
      method,
      body === undefined ? undefined : JSON.stringify(body),
      headers,
    )
  }
}
