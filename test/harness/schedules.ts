import type { ScheduleDocument, ScheduleList } from '@posthaste/core'
import type { Answered, Client } from './client.js'

/** Where a schedule may be steered to. */
export type Steering = 'pause' | 'resume' | 'delete'

/** The part of the API that is about schedules. Whatever is no success is thrown. */
export class Schedules {
  readonly #client: Client
  readonly #url: () => string

  /** `url` says which process to ask each time. */
  constructor(client: Client, url: () => string) {
    this.#client = client
    this.#url = url
  }

  async create(schedule: object): Promise<ScheduleDocument> {
    return (await this.#ask('POST', '', schedule)).json as ScheduleDocument
  }

  async get(id: string): Promise<ScheduleDocument> {
    return (await this.#ask('GET', `/${id}`)).json as ScheduleDocument
  }

  async list(): Promise<readonly ScheduleDocument[]> {
    return ((await this.#ask('GET', '')).json as ScheduleList).schedules
  }

  /** Resolves with the status: 200 if it is done. */
  async steer(id: string, to: Steering, wait = '10s'): Promise<number> {
    const [method, path] = to === 'delete' ? ['DELETE', `/${id}`] : ['POST', `/${id}/${to}`]
    return (await this.#ask(method, `${path}?wait=${wait}`)).status
  }

  async #ask(method: string, path: string, body?: object): Promise<Answered> {
    const url = `${this.#url()}/schedules${path}`
    const answered = await this.#client.request(url, method, body && JSON.stringify(body))
    if (answered.status >= 300) throw new Error(`${method} ${path} answered ${answered.status}: ${answered.text}`)
    return answered
  }
}
