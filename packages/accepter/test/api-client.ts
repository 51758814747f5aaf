import { ProblemSchema } from '@posthaste/core'
import t from 'tap'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { openApiDocument } from '../src/openapi.js'
import type { Operation } from '../src/operation.js'
import { OPERATIONS } from '../src/operations.js'
import { JSON_TYPE } from './setting.js'

export type OperationName = keyof typeof OPERATIONS

export interface Asking {
  readonly id?: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: what it is, each test says
  readonly json: any
}

/** Asks for an operation, and checks that the answer is one that the OpenAPI document tells of. */
export async function ask(url: string, name: OperationName, asking: Asking = {}): Promise<Answered> {
  const operation: Operation = OPERATIONS[name] as unknown as Operation
  const { body, headers, id = '', query, signal } = asking
  const path = operation.path.replace('{id}', id).replace('{url}', encodeURIComponent('https://api.example.com/'))
  const response = await fetch(`${url}${path}${query ? `?${new URLSearchParams(query)}` : ''}`, {
    method: operation.method,
    headers: { ...(body !== undefined && JSON_TYPE), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  })
  const text = await response.text()
  const isJson = /^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '')
  const answered = {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  }
  const fault = faultOf(operation, answered)
  if (fault) t.fail(`${operation.method} ${path}: ${fault}`, { text: text.slice(0, 2_000) })
  return answered
}

/** How an answer differs from what the document says; undefined if it does not. */
function faultOf(operation: Operation, { json, status }: Answered): string | undefined {
  if (!documented(operation)[status]) return `there is no answer ${status}`
  const answer = operation.answers[status]
  const schema = status >= 400 ? ProblemSchema : answer?.content?.type === 'application/json' && answer.content.schema
  if (!schema) return undefined
  const [error] = compiled(schema).Errors(json)
  return error && `${error.instancePath}: ${error.message}`
}

const answers = new Map<Operation, Record<string, object>>()

/** What the document has for an operation, by status. */
function documented(operation: Operation): Record<string, object> {
  const found = answers.get(operation)
  if (found) return found
  const [path] = Object.values((openApiDocument([operation]) as { paths: Record<string, object> }).paths)
  const [described] = Object.values(path ?? {}) as { responses: Record<string, object> }[]
  const responses = described?.responses ?? {}
  answers.set(operation, responses)
  return responses
}

const known = new Map<object, ReturnType<typeof Compile>>()

function compiled(schema: object) {
  const found = known.get(schema) ?? Compile(schema as TSchema)
  known.set(schema, found)
  return found
}
