import fc from 'fast-check'
import { anyText, mostly, type Schema, Values } from './random-values.js'

interface Parameter {
  readonly in: string
  readonly name: string
  readonly schema: Schema
}

interface DescribedOperation {
  readonly operationId: string
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<Record<string, object>>
  /** What is needed; nothing where it is empty. */
  readonly security: readonly object[]
}

/** Of an OpenAPI document, what is read here. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

export interface RandomRequest {
  readonly operation: DescribedOperation
  readonly method: string
  /** Whether its method and path are those of the operation. */
  readonly isDescribed: boolean
  /** With `{id}` in it, if there is one. */
  readonly path: string
  /** A text, or the number of an id that there is. */
  readonly id: string | number
  /** The number of who asks. */
  readonly caller: number
  readonly query: readonly (readonly [name: string, value: string])[]
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** With one of these the path is another one, or none. */
const NO_IDS: readonly string[] = ['', '.', '..', 'a'.repeat(500)]
/** Random requests for what an OpenAPI document describes: most nearly right, some not at all. */
export function randomRequests(document: ApiDocument, targetUrl: string): fc.Arbitrary<RandomRequest> {
  const values = new Values(document.components.schemas, targetUrl)
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path: path.replace('{url}', targetUrl),
      method: method.toUpperCase(),
      operation,
    })),
  )
  return fc.oneof(...operations.map(({ method, operation, path }) => requestFor(method, path, operation, values)))
}

function requestFor(
  method: string,
  path: string,
  operation: DescribedOperation,
  values: Values,
): fc.Arbitrary<RandomRequest> {
  const { parameters, requestBody } = operation
  const schema = requestBody?.content['application/json']?.schema
  const query = parameters.filter((one) => one.in === 'query').map(({ name, schema }) => values.parameter(name, schema))
  const strayHeaders = fc.dictionary(
    fc.constantFrom('idempotency-key', 'posthaste-depth', 'authorization', 'accept', 'if-match', 'content-type'),
    fc.constantFrom('"a"', 'b', '1', '7', 'Bearer x', '*/*', 'application/json', 'text/plain', ''),
    { minKeys: 1, maxKeys: 2 },
  )
  const stray = fc.tuple(fc.constantFrom('x', 'wait[]', '__proto__', 'limit'), anyText)
  return fc
    .record({
      operation: fc.constant(operation),
      method: mostly(fc.constant(method), fc.constantFrom('HEAD', 'PUT', 'OPTIONS', 'PATCH', 'DELETE', 'POST')),
      path: fc.constant(path),
      id: fc.oneof(
        { weight: 8, arbitrary: fc.nat(1_000) },
        fc.uuid(),
        anyText,
        fc.constantFrom(...NO_IDS, '%2e%2e', '__proto__', 'a'.repeat(128)),
      ),
      caller: fc.nat(1_000),
      query: fc
        .tuple(fc.subarray(query), mostly(fc.constant([]), fc.array(stray, { maxLength: 2 })))
        .chain(([some, others]) => fc.tuple(...some).map((known) => [...known, ...others])),
      headers: mostly(fc.constant({}), strayHeaders),
      body: schema ? values.body(schema) : mostly(fc.constant(undefined), anyText),
    })
    .map((one) => ({
      ...one,
      isDescribed: one.method === method && !(path.includes('{id}') && NO_IDS.includes(String(one.id))),
    }))
}
