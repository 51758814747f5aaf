import fc from 'fast-check'

/** Of a JSON schema, what is read here. */
export interface Schema {
  readonly $ref?: string
  readonly anyOf?: readonly Schema[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly items?: Schema
  readonly maximum?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly minItems?: number
  readonly pattern?: string
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly type?: string
}

const anyJson = fc.jsonValue({ maxDepth: 4 })
export const anyText = fc.string({ unit: 'grapheme', maxLength: 40 })
/** Of these most bodies have one each: more contradict one another, and some want one. */
const ALTERNATIVES = [
  ['every', 'cron'],
  ['delay', 'notBefore'],
  ['expiresIn', 'expiresAt'],
]

/** Values for the schemas of a document. */
export class Values {
  readonly #schemas: Readonly<Record<string, Schema>>
  readonly #hints: Readonly<Record<string, fc.Arbitrary<unknown>>>

  constructor(schemas: Readonly<Record<string, Schema>>, targetUrl: string) {
    this.#schemas = schemas
    this.#hints = hintsFor(targetUrl)
  }

  /** A parameter of a query, as it is written there. */
  parameter(name: string, schema: Schema): fc.Arbitrary<readonly [string, string]> {
    const value = this.#named(name, schema).map((found) => (Array.isArray(found) ? found.join(',') : String(found)))
    return fc.tuple(fc.constant(name), name === 'wait' ? value : mostly(value, anyText))
  }

  /** Text of a body: as the schema has it, with something else in one place, or anything. */
  body(schema: Schema): fc.Arbitrary<string | undefined> {
    const right = this.of(schema)
    const changed = fc.tuple(right, fc.nat(20), anyJson).map(([value, which, other]) => {
      const names = Object.keys(Object(value))
      return names.length > 0 ? { ...Object(value), [names[which % names.length] as string]: other } : other
    })
    return fc.oneof(
      { weight: 6, arbitrary: right.map((value) => JSON.stringify(value)) },
      { weight: 3, arbitrary: changed.map((value) => JSON.stringify(value)) },
      { weight: 1, arbitrary: anyJson.map((value) => JSON.stringify(value)) },
      { weight: 1, arbitrary: fc.oneof(anyText, fc.constant('['.repeat(5_000)), fc.constant(undefined)) },
    )
  }

  of(schema: Schema): fc.Arbitrary<unknown> {
    if (schema.$ref) return this.of(this.#schemas[schema.$ref.split('/').at(-1) as string] as Schema)
    if ('const' in schema) return fc.constant(schema.const)
    if (schema.enum) return fc.constantFrom(...schema.enum)
    if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => this.of(one)))
    if (schema.type === 'object') return this.#object(schema)
    if (schema.type === 'array') return this.#array(schema)
    if (schema.type === 'string') return textOf(schema.pattern)
    if (schema.type === 'boolean') return fc.boolean()
    if (schema.type !== 'integer' && schema.type !== 'number') return anyJson
    const { maximum: max = 1e9, minimum: min = 0 } = schema
    return schema.type === 'integer' ? fc.integer({ min, max }) : fc.double({ min, max, noNaN: true })
  }

  #object({ patternProperties = {}, properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
    const optional = Object.keys(properties).filter((name) => !required.includes(name))
    // With more of them hardly one would be right as a whole.
    const some = fc.subarray(optional, { maxLength: Math.min(4, optional.length) })
    const fitting = some.map((names) => withAlternatives(names, optional))
    const known = mostly(fitting, some).chain((some) => {
      const model = [...required, ...some].map((name) => [name, this.#named(name, properties[name] as Schema)])
      return fc.record(Object.fromEntries(model) as Record<string, fc.Arbitrary<unknown>>)
    })
    const [[pattern, one] = []] = Object.entries(patternProperties)
    if (!one) return known
    const others = fc.dictionary(textOf(pattern), this.of(one), { maxKeys: 4 })
    return fc.tuple(known, others).map(([some, more]) => ({ ...some, ...more }))
  }

  #array({ items = {}, maxItems = 4, minItems = 0 }: Schema): fc.Arbitrary<unknown[]> {
    return fc.array(this.of(items), { minLength: minItems, maxLength: Math.min(maxItems, minItems + 4) })
  }

  #named(name: string, schema: Schema): fc.Arbitrary<unknown> {
    const hint = this.#hints[name]
    if (!hint) return this.of(schema)
    // Nothing may wait for long.
    return name === 'wait' ? hint : mostly(hint, this.of(schema))
  }
}

/** By name, what a schema cannot say and random text never is: mostly right. */
function hintsFor(targetUrl: string): Readonly<Record<string, fc.Arbitrary<unknown>>> {
  const ofTarget = ['/', '/a?b=c', '/refuses', '/refuses'].map((path) => targetUrl + path)
  const urls = mostly(
    fc.constantFrom(...ofTarget),
    fc.constantFrom('http://10.0.0.1/', 'file:///etc/passwd', 'http://a b/'),
  )
  const spans = (...some: string[]) => mostly(fc.constantFrom(...some), fc.constantFrom('367d', '-1s', 'often'))
  const times = (...inMs: number[]) =>
    mostly(fc.constantFrom(...inMs.map((ms) => new Date(Date.now() + ms).toISOString())), fc.constant('1999-01-01'))
  const names = mostly(fc.constantFrom('x-a', 'Accept', '__proto__', 'constructor'), anyText)
  const hints: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
    'target to forwardTo url onSuccess onFailure': urls,
    delay: spans('1ms', '5s', '10m', 'PT1H'),
    expiresIn: spans('2h', '1d'),
    'timeout initialDelay': spans('1ms', '5s', 'PT1S'),
    'maxDelay maxAge': spans('10m', '2h'),
    'notBefore startAt': times(60_000, 600_000),
    'expiresAt endAt createdBefore': times(3_600_000, 7_200_000),
    createdAfter: times(-3_600_000, 60_000),
    every: spans('1h', '366d'),
    cron: mostly(fc.constantFrom('0 0 1 1 *', '@yearly'), fc.constantFrom('0 0 30 2 *', '* * * *')),
    timeZone: mostly(fc.constantFrom('Europe/Berlin', 'UTC'), fc.constant('Mars/Olympus')),
    wait: mostly(fc.constantFrom('0ms', '1ms', '5ms'), fc.constantFrom('61s', '-1s', 'soon')),
    method: mostly(fc.constantFrom('GET', 'POST'), fc.constantFrom('TRACE', 'get')),
    headers: fc.dictionary(names, fc.oneof(fc.constantFrom('a', 'b'), fc.array(anyText)), { maxKeys: 3 }),
    statuses: fc.constantFrom([], ['4xx'], ['500-599', '429'], ['9']),
  }
  return Object.fromEntries(
    Object.entries(hints).flatMap(([names, hint]) => names.split(' ').map((name) => [name, hint])),
  )
}

/** Names of fields, with the first of each choice that there is, unless another one of it is among them. */
function withAlternatives(some: readonly string[], all: readonly string[]): string[] {
  const chosen = ALTERNATIVES.flatMap((names) => {
    const there = names.filter((name) => all.includes(name))
    return there.find((name) => some.includes(name)) ?? there.slice(0, 1)
  })
  return [...new Set([...some.filter((name) => !ALTERNATIVES.flat().includes(name)), ...chosen])]
}

function textOf(pattern: string | undefined): fc.Arbitrary<string> {
  return pattern === undefined ? anyText : fc.stringMatching(new RegExp(pattern), { size: '-1' })
}

export function mostly<T, U>(usual: fc.Arbitrary<T>, other: fc.Arbitrary<U>): fc.Arbitrary<T | U> {
  return fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: other })
}
