import type { Type as TypeBox } from 'typebox'

// TypeBox's own builder is typed the same, but comes with its engine of types in 300 files: a fifth of a second of every
// thread that starts. What is built here is what it builds.

interface Schema {
  readonly [keyword: string]: unknown
}

type Build = (options?: Schema) => Schema

const OPTIONAL = Symbol('optional')

const typed =
  (type: string): Build =>
  (options) => ({ type, ...options })

const builder = {
  Array: (items: Schema, options?: Schema) => ({ type: 'array', items, ...options }),
  Boolean: typed('boolean'),
  Enum: (values: readonly unknown[], options?: Schema) => ({ enum: values, ...options }),
  Integer: typed('integer'),
  Literal: (value: unknown) => ({ type: typeof value, const: value }),
  Number: typed('number'),
  Object(properties: Record<string, Schema>, options?: Schema) {
    const required = Object.keys(properties).filter((name) => !(OPTIONAL in (properties[name] as Schema)))
    return { type: 'object', ...(required.length > 0 && { required }), properties, ...options }
  },
  Optional: (schema: Schema) => ({ ...schema, [OPTIONAL]: true }),
  /** The key is a string, by a pattern of its own or not, or one of some. */
  Record(key: { pattern?: string; enum?: readonly string[] }, value: Schema, options?: Schema): Schema {
    if (key.enum) return builder.Object(Object.fromEntries(key.enum.map((name) => [name, value])), options)
    return { type: 'object', patternProperties: { [key.pattern ?? '^.*$']: value }, ...options }
  },
  String: typed('string'),
  Union: (anyOf: readonly Schema[], options?: Schema) => ({ anyOf, ...options }),
  Unknown: (options?: Schema) => ({ ...options }),
}

/** Builds JSON schemas, of which TypeBox's `Static` tells the type. */
export const Type = builder as unknown as Pick<typeof TypeBox, keyof typeof builder>
