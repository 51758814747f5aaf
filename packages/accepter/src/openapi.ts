import { ERRORS, type ErrorCode, ID_PATTERN, ProblemSchema } from '@posthaste/core'
import { PING_KEY_HEADER, PING_KEY_PARAMETER } from './gate.js'
import type { Answer, Operation } from './operation.js'

/** What any request may be refused with. */
const COMMON: readonly ErrorCode[] = [
  ...(['bad-request', 'forbidden', 'request-timeout', 'headers-too-large'] as const),
  ...(['internal', 'overloaded', 'stopping'] as const),
]
/** Where a caller must be allowed to; what he asks about may be sealed. */
const GUARDED: readonly ErrorCode[] = ['unauthenticated', 'rate-limited', 'not-ready', 'sealed']
const SECURITY_SCHEMES = {
  token: {
    type: 'http',
    scheme: 'bearer',
    description: 'A token, or a JWT, with the scope that is named. Where none are configured nobody has to show one.',
  },
  tokenAsPassword: { type: 'http', scheme: 'basic', description: 'The same, with any name.' },
  pingKey: { type: 'apiKey', in: 'query', name: PING_KEY_PARAMETER },
  pingHeader: { type: 'apiKey', in: 'header', name: PING_KEY_HEADER },
}

type Json = Record<string, unknown>

/** The OpenAPI 3.1 document of some operations. */
export function openApiDocument(operations: readonly Operation[]): object {
  const schemas: Json = {}
  const paths: Record<string, Json> = {}
  for (const operation of operations) {
    const described = { [operation.method.toLowerCase()]: named(describe(operation), schemas) }
    paths[operation.path] = { ...paths[operation.path], ...described }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Posthaste',
      version: '1',
      summary: 'POST an HTTP call, get 202, the call is made later.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: { schemas, securitySchemes: SECURITY_SCHEMES },
  }
}

function describe(operation: Operation): Json {
  const { body, takesAny } = operation
  return {
    operationId: operation.id,
    summary: operation.summary,
    security: securityOf(operation),
    parameters: parametersOf(operation),
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: body.schema } } } }),
    ...(takesAny && { requestBody: { content: { '*/*': {} } } }),
    responses: { ...answersOf(operation), ...problemsOf(operation) },
  }
}

function securityOf({ scope, takesPingKey }: Operation): Json[] {
  if (scope === 'open') return []
  return [
    { token: [scope] },
    { tokenAsPassword: [scope] },
    ...(takesPingKey ? [{ pingKey: [] }, { pingHeader: [] }] : []),
  ]
}

function parametersOf({ headers = {}, path, query }: Operation): Json[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    const schema = { type: 'string', ...(name === 'id' && { pattern: ID_PATTERN }) }
    return { name, in: 'path', required: true, schema }
  })
  return [
    ...inPath,
    ...Object.entries(query).map(([name, { description, schema }]) => ({
      name,
      in: 'query',
      description,
      explode: false,
      schema,
    })),
    ...Object.entries(headers).map(([name, { description, schema }]) => ({ name, in: 'header', description, schema })),
  ]
}

function answersOf({ answers }: Operation): Json {
  return Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)]))
}

function answerOf({ content, description, headers }: Answer): Json {
  return {
    description,
    ...(headers && { headers: Object.fromEntries(Object.entries(headers).map(headerOf)) }),
    ...(content && { content: { [content.type]: { schema: content.schema } } }),
  }
}

function headerOf([name, description]: [string, string]): [string, Json] {
  return [name, { description, schema: { type: 'string' } }]
}

/** The problems of an operation by status; each says which codes it may have. */
function problemsOf({ isProbe, problems, query, scope }: Operation): Json {
  const takesQuery = !isProbe || Object.keys(query).length > 0
  const codes = new Set<ErrorCode>([
    ...problems,
    ...(takesQuery ? (['invalid-query'] as const) : []),
    ...(scope === 'open' ? [] : GUARDED),
    ...COMMON,
  ])
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const { status } = ERRORS[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries([...byStatus].map(([status, some]) => [status, problemOf(status, some)]))
}

function problemOf(status: number, codes: readonly ErrorCode[]): Json {
  const description = codes.map((code) => `\`${code}\`: ${ERRORS[code].title}`).join(' ')
  const headers = { 'Retry-After': 'Seconds after which to try again.' }
  const content = { type: 'application/problem+json', schema: ProblemSchema }
  return answerOf({ description, content, ...((status === 429 || status === 503) && { headers }) })
}

/** Puts each schema that has a name among `schemas`, and a reference in its place. */
function named(value: unknown, schemas: Json): unknown {
  if (Array.isArray(value)) return value.map((each) => named(each, schemas))
  if (typeof value !== 'object' || value === null) return value
  const { $id, ...rest } = value as Json
  const content = Object.fromEntries(Object.entries(rest).map(([key, each]) => [key, named(each, schemas)]))
  if (typeof $id !== 'string') return content
  schemas[$id] = content
  return { $ref: `#/components/schemas/${$id}` }
}
