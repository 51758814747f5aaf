import { InstructionSchema } from '@posthaste/core'
import type { HeaderParameter } from '../operation.js'
import type { Parameter, Parameters } from '../parameter.js'

/** Something that an instruction can say, as text. */
export interface Option extends Parameter<unknown> {
  /** The field, and the member where that is an object. */
  readonly path: readonly [field: string, member?: string]
}

interface Property {
  readonly description?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, Property>>
  readonly anyOf?: readonly Property[]
}

/** Text in a URL or a header says these otherwise. */
const ELSEWHERE = ['headers', 'query', 'body', 'bodyEncoding']
/** By the name of the parameter: `delay`, `retry.maxAttempts`. */
const BY_FIELD: ReadonlyMap<string, Option> = new Map(
  Object.entries(InstructionSchema.properties as unknown as Record<string, Property>)
    .filter(([field]) => !ELSEWHERE.includes(field))
    .flatMap(([field, property]) => optionsOf(field, property)),
)

/** By the names of parameters; the target is `to`. */
export const BY_PARAMETER: ReadonlyMap<string, Option> = new Map(
  [...BY_FIELD].map(([name, option]) => [name === 'target' ? 'to' : name, option]),
)
/** By the names of headers in lower case: `posthaste-delay`, `posthaste-retry-max-attempts`. */
export const BY_HEADER: ReadonlyMap<string, Option> = new Map(
  [...BY_FIELD].map(([name, option]) => [headerOf(name).toLowerCase(), option]),
)

/** For who reads of it. */
export const QUERY_OPTIONS: Parameters = {
  ...Object.fromEntries(BY_PARAMETER),
  idempotencyKey: {
    description: 'As the header Idempotency-Key.',
    schema: { type: 'string' },
    read: (text) => text,
    must: 'some text',
  },
}
export const HEADER_OPTIONS: Readonly<Record<string, HeaderParameter>> = {
  ...Object.fromEntries([...BY_FIELD].map(([name, option]) => [headerOf(name), option])),
  'Idempotency-Key': {
    description: 'Of requests with the same key one is taken; the others get its answer.',
    schema: { type: 'string' },
  },
}

function optionsOf(field: string, property: Property): [name: string, option: Option][] {
  const inner = property.anyOf?.find((branch) => branch.properties) ?? property
  if (!inner.properties) return [[field, { path: [field], ...reading(property) }]]
  return Object.entries(inner.properties)
    .filter(([, { type }]) => type !== 'object')
    .map(([member, one]) => {
      // Of a destination its URL is what matters: it has the name of the field.
      const isField = member === 'url'
      const { description = one.description } = isField ? property : one
      return [
        isField ? field : `${field}.${member}`,
        { path: [field, member], ...reading({ ...one, ...(description !== undefined && { description }) }) },
      ]
    })
}

/** How a property is read from text. What else it must be is checked as in any instruction. */
function reading({ description = '', type = 'string' }: Property): Parameter<unknown> {
  const told = { description, schema: { type } }
  if (type === 'integer' || type === 'number')
    return { ...told, read: (text) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined), must: 'a number' }
  if (type === 'boolean')
    return {
      ...told,
      read: (text) => (/^(true|false)$/.test(text) ? text === 'true' : undefined),
      must: 'true or false',
    }
  if (type !== 'array') return { ...told, schema: { type: 'string' }, read: (text) => text, must: 'some text' }
  const schema = { type, items: { type: 'string' } }
  return {
    description,
    schema,
    read: (text) => text.split(',').map((one) => one.trim()),
    must: 'words with commas between them',
  }
}

/** `retry.maxAttempts` is `Posthaste-Retry-Max-Attempts`. */
function headerOf(name: string): string {
  const words = name.replace(/[A-Z]/g, (letter) => `.${letter}`).split('.')
  return ['Posthaste', ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join('-')
}
