import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from '@alicloud/fc20230330'

export type Task = InstanceType<typeof fc.AsyncTask>

export interface TaskPage {
  readonly tasks: readonly Task[]
  readonly nextToken?: string
}

const LOOK_MS = 50
const UNTIL_MS = 90_000

/** By what a client signs. */
export interface Key {
  readonly id: string
  readonly secret: string
}

const ANY: Key = { id: 'LTAI', secret: 'secret' }

/** The SDK of Function Compute 3, as it comes. All of it throws as it does. */
export class AlibabaClient {
  readonly #client: InstanceType<typeof fc.default>

  constructor(url: string, { id, secret }: Key = ANY) {
    // The types of what it takes are in packages of its own.
    this.#client = new fc.default({
      ...{ endpoint: url.replace('http://', ''), protocol: 'HTTP', regionId: 'cn-hangzhou' },
      ...{ connectTimeout: UNTIL_MS, readTimeout: UNTIL_MS },
      ...{ accessKeyId: id, accessKeySecret: secret },
    } as never)
  }

  async invoke(name: string, body: string, headers: object = {}) {
    const request = new fc.InvokeFunctionRequest({ body: Readable.from([Buffer.from(body)]), qualifier: 'prod' })
    const said = new fc.InvokeFunctionHeaders(headers)
    const answer = await this.#client.invokeFunctionWithOptions(name, request, said, {} as never)
    const answered = answer.headers as Record<string, string>
    return { status: answer.statusCode, headers: answered, body: await text(answer.body as Readable) }
  }

  async get(name: string, taskId: string): Promise<Task> {
    return (await this.#client.getAsyncTask(name, taskId, new fc.GetAsyncTaskRequest({}))).body as Task
  }

  async list(name: string, filter: object = {}): Promise<TaskPage> {
    const { body } = await this.#client.listAsyncTasks(name, new fc.ListAsyncTasksRequest(filter))
    return body as TaskPage
  }

  async stop(name: string, taskId: string): Promise<number | undefined> {
    return (await this.#client.stopAsyncTask(name, taskId, new fc.StopAsyncTaskRequest({}))).statusCode
  }

  /** Resolves with the task once it is shown, with a status if one is named. @throws Error if that takes too long */
  async until(name: string, taskId: string, status?: string): Promise<Task> {
    const untilMs = performance.now() + UNTIL_MS
    for (;;) {
      // What is shown may be behind for a moment.
      const task = await this.get(name, taskId).catch((error: Error) => error)
      if (!(task instanceof Error) && (status ?? task.status) === task.status) return task
      if (performance.now() > untilMs) throw new Error(`${taskId} is not ${status ?? 'there'}: ${JSON.stringify(task)}`)
      await sleep(LOOK_MS)
    }
  }
}

/** What is used of the SDK of Function Compute 2, which has no types. */
interface Version2 {
  invokeFunction(service: string, name: string, event: string, headers?: object, version?: string): Promise<Answer2>
  get(path: string, query?: object, headers?: object): Promise<Answer2>
  put(path: string): Promise<Answer2>
  post(path: string, body: string, headers: object, query: object): Promise<Answer2>
}

interface Answer2 {
  readonly headers: Readonly<Record<string, string>>
  readonly data: unknown
}

export function version2Client(url: string, { id, secret }: Key = ANY): Version2 {
  const Client = createRequire(import.meta.url)('@alicloud/fc2') as new (accountId: string, options: object) => Version2
  return new Client('1234', {
    ...{ endpoint: url, region: 'cn-hangzhou', timeout: UNTIL_MS },
    ...{ accessKeyID: id, accessKeySecret: secret },
  })
}
