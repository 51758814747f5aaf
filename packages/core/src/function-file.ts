import type { Static } from 'typebox'
import { Compile } from 'typebox/schema'
import { type FieldError, PosthasteError, pointerPart } from './errors.js'
import { readForward } from './forward-field.js'
import { checkHeaders, type Headers, newHeaders } from './headers.js'
import { checkMethod, readDestination, readDuration, readRetry } from './instruction.js'
import { InstructionSchema } from './instruction-schema.js'
import { Type } from './json-schema.js'
import { LIMITS } from './limits.js'
import type { FunctionLimits, NamedFunction } from './named-function.js'
import { schemaErrors } from './schema-errors.js'
import { Secret, type SecretReader } from './target-file.js'
import { checkUrl, FUNCTION_NAME, functionNameOf, isFunctionUrl } from './url.js'

const Closed = { additionalProperties: false } as const
// Those of `instruction-schema.ts` say why.
const AnyKey = Type.String({ pattern: '[^]?' })

const { forwardTo, method, onFailure, onSuccess, retry, timeout } = InstructionSchema.properties
export const FunctionSchema = Type.Object(
  {
    ...{ url: Type.String(), method, timeout, syncTimeout: timeout, retry, forwardTo, onSuccess, onFailure },
    limits: Type.Optional(
      Type.Object(
        {
          concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
          requestsPerSecond: Type.Optional(Type.Number({ minimum: 0.001, maximum: 1_000_000 })),
          burst: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
          bodyBytes: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 40 })),
        },
        Closed,
      ),
    ),
    acceptStatus: Type.Optional(Type.Enum([200, 202])),
    acceptBody: Type.Optional(Type.Unknown()),
    headers: Type.Optional(Type.Record(AnyKey, Secret, { maxProperties: LIMITS.headerCountMax })),
    routes: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })),
    doors: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })),
  },
  Closed,
)
const FUNCTIONS_MAX = 10_000
const fileSchema = Compile(
  Type.Object({ functions: Type.Record(AnyKey, Type.Unknown(), { maxProperties: FUNCTIONS_MAX }) }, Closed),
)
// One by one: what is said of a field does not depend on where it stands.
const schema = Compile(FunctionSchema)
type FunctionInput = Static<typeof FunctionSchema>

/** What else is there, of which a function must not be a copy, or which it may name. */
export interface FunctionSurroundings {
  /** The front doors that there are; any name will do if left out. */
  readonly doors?: readonly string[]
  /** The first parts of our own paths (`invocations`), beneath which there are no routes. */
  readonly ownPaths?: readonly string[]
}

/** Reads the functions that there are. @throws PosthasteError that names every wrong field, and no value of a secret */
export function parseFunctionFile(
  input: unknown,
  readSecret: SecretReader,
  surroundings: FunctionSurroundings = {},
): NamedFunction[] {
  if (!fileSchema.Check(input)) throw PosthasteError.ofFields(schemaErrors(fileSchema, input))
  const errors: FieldError[] = []
  const routes = new Map<string, string>()
  const all = { ...surroundings, names: new Set(Object.keys(input.functions)), routes, readSecret }
  const functions = Object.entries(input.functions).map(([name, one]) => {
    const found: FieldError[] = []
    const read = readFunction(name, one, all, found)
    errors.push(...found.map((error) => ({ ...error, pointer: `/functions/${pointerPart(name)}${error.pointer}` })))
    return read
  })
  if (errors.length > 0) throw PosthasteError.ofFields(errors)
  return functions as NamedFunction[]
}

interface All extends FunctionSurroundings {
  readonly names: ReadonlySet<string>
  /** Whose each is. */
  readonly routes: Map<string, string>
  readonly readSecret: SecretReader
}

const NAME = new RegExp(`^${FUNCTION_NAME}$`)

function readFunction(name: string, input: unknown, all: All, errors: FieldError[]): NamedFunction | undefined {
  if (!NAME.test(name)) {
    const detail = 'A name has letters, digits and ._-, up to 128, and begins with a letter or digit.'
    errors.push({ pointer: '', code: 'invalid-field', detail })
  }
  if (!schema.Check(input)) {
    errors.push(...schemaErrors(schema, input).map(asOfHere))
    return undefined
  }
  const { acceptBody, acceptStatus = 202, doors, limits, method, routes = [] } = input
  if (method !== undefined) checkMethod(method, errors)
  checkLimits(limits, errors)
  checkRoutes(name, routes, all, errors)
  checkDoors(doors, all, errors)
  return {
    name,
    url: readUrl(input.url, errors),
    ...(method !== undefined && { method }),
    ...readTimes(input, errors),
    ...(input.retry && { retry: readRetry(input.retry, errors) }),
    ...(limits && { limits: limits as FunctionLimits }),
    acceptStatus,
    ...(acceptBody !== undefined && { acceptBody }),
    headers: readHeaders(input.headers ?? {}, all.readSecret, errors),
    ...readTold(input, all, errors),
    routes,
    ...(doors && { doors }),
  }
}

/** Its headers are others than those of an instruction. */
function asOfHere(error: FieldError): FieldError {
  if (!/^\/headers\/[^/]*$/.test(error.pointer)) return error
  return { ...error, detail: 'This must be a text, or { env: NAME } or { file: PATH }, where the text is.' }
}

function readUrl(text: string, errors: FieldError[]): string {
  const url = checkUrl(text, undefined, '/url', errors)
  if (isFunctionUrl(url)) {
    errors.push({ pointer: '/url', code: 'invalid-url', detail: 'A function is at an http or https URL.' })
  }
  return url
}

function readTimes(
  { syncTimeout, timeout }: FunctionInput,
  errors: FieldError[],
): Pick<NamedFunction, 'timeoutMs' | 'syncTimeoutMs'> {
  const { timeoutMsMax, timeoutMsMin } = LIMITS
  const timeoutMs = readDuration(timeout, '/timeout', timeoutMsMin, timeoutMsMax, errors)
  const syncTimeoutMs = readDuration(syncTimeout, '/syncTimeout', timeoutMsMin, timeoutMsMax, errors)
  return { ...(timeoutMs !== undefined && { timeoutMs }), ...(syncTimeoutMs !== undefined && { syncTimeoutMs }) }
}

/** Who is told of ends. A function that is told must be there. */
function readTold(
  input: FunctionInput,
  { names }: All,
  errors: FieldError[],
): Pick<NamedFunction, 'forwardTo' | 'forwardWith' | 'onSuccess' | 'onFailure'> {
  const forward = readForward(input.forwardTo, undefined, errors)
  const onSuccess = readDestination(input.onSuccess, '/onSuccess', errors)
  const onFailure = readDestination(input.onFailure, '/onFailure', errors)
  const told = { forwardTo: forward.forwardTo, onSuccess: onSuccess?.url, onFailure: onFailure?.url }
  for (const [field, url = ''] of Object.entries(told)) {
    const name = functionNameOf(url)
    if (name !== undefined && !names.has(name))
      errors.push({ pointer: `/${field}`, code: 'unknown-function', detail: `There is no function "${name}".` })
  }
  return { ...forward, ...(onSuccess && { onSuccess }), ...(onFailure && { onFailure }) }
}

function readHeaders(
  input: NonNullable<FunctionInput['headers']>,
  readSecret: SecretReader,
  errors: FieldError[],
): Headers {
  const values = newHeaders()
  for (const [name, source] of Object.entries(input)) {
    const read = readSecret(source)
    if ('value' in read) values[name] = read.value
    else errors.push({ pointer: `/headers/${pointerPart(name)}`, code: 'invalid-field', detail: read.fault })
  }
  // A plain object: it goes to another thread.
  return { ...checkHeaders(values, { ownAllowed: false }, errors) }
}

function checkLimits(limits: FunctionInput['limits'], errors: FieldError[]): void {
  if (limits?.burst === undefined || limits.requestsPerSecond !== undefined) return
  const detail = 'Needed, because there is a burst.'
  errors.push({ pointer: '/limits/requestsPerSecond', code: 'missing-field', detail })
}

function checkRoutes(name: string, given: readonly string[], { ownPaths = [], routes }: All, errors: FieldError[]) {
  given.forEach((route, index) => {
    const fail = (code: FieldError['code'], detail: string): void => {
      errors.push({ pointer: `/routes/${index}`, code, detail })
    }
    const path = pathOfRoute(route)
    const [, first = ''] = path?.split('/', 2) ?? []
    if (path === undefined) fail('invalid-field', 'This must be a path such as /square, as a URL has it.')
    else if (ownPaths.includes(first)) fail('conflicting-fields', `What is beneath /${first} is not for functions.`)
    else if (routes.has(path)) fail('conflicting-fields', `This is a route of "${routes.get(path)}", too.`)
    else routes.set(path, name)
  })
}

/** Decoded, for what is encoded without need is no other path; undefined if it is no path, the root, or ends with a slash. */
function pathOfRoute(text: string): string | undefined {
  try {
    const isWhole = /^(\/[^/?#\\]+)+$/.test(text) && new URL(`http://a${text}`).pathname === text
    return isWhole ? decodeURIComponent(text) : undefined
  } catch {
    return undefined
  }
}

function checkDoors(given: readonly string[] = [], { doors }: All, errors: FieldError[]): void {
  given.forEach((door, index) => {
    if (!doors || doors.includes(door)) return
    const detail = `There is no front door "${door}"; there are ${doors.join(', ')}.`
    errors.push({ pointer: `/doors/${index}`, code: 'invalid-field', detail })
  })
}
