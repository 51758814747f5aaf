import type { Static } from 'typebox'
import { Compile } from 'typebox/schema'
import { type AccessKey, AccessKeySchema, readAccessKeys } from './access-key.js'
import { type FieldError, PosthasteError } from './errors.js'
import { FUNCTION_PATTERN } from './function-pattern.js'
import { Type } from './json-schema.js'
import { ORIGIN_PATTERN_FORM, type OriginPattern, parseOriginPattern } from './origin-pattern.js'
import { schemaErrors } from './schema-errors.js'
import { SCOPES, type Scope, TENANT_PATTERN } from './scope.js'
import type { SecretReader } from './target-file.js'

const Closed = { additionalProperties: false } as const
const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' })

const EntrySchema = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' }),
    sha256: Type.Optional(Type.Union([Hash, Type.Array(Hash, { minItems: 1, maxItems: 8 })])),
    accessKeys: Type.Optional(Type.Array(AccessKeySchema, { minItems: 1, maxItems: 8 })),
    scopes: Type.Array(Type.Enum([...SCOPES]), { minItems: 1 }),
    tenant: Type.Optional(Type.String({ pattern: TENANT_PATTERN })),
    targets: Type.Optional(Type.Array(Type.String())),
    functions: Type.Optional(Type.Array(Type.String({ pattern: FUNCTION_PATTERN }))),
    requestsPerSecond: Type.Optional(Type.Number({ minimum: 0.001, maximum: 1_000_000 })),
    burst: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    openMax: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  Closed,
)
const schema = Compile(Type.Object({ tokens: Type.Array(EntrySchema, { maxItems: 1_000 }) }, Closed))

/** An entry of the file of `POSTHASTE_TOKENS`, as it is written. */
export type TokenEntry = Static<typeof EntrySchema>

/** Who has one of some tokens, or of some access keys, and what he may do. */
export interface TokenHolder {
  readonly name: string
  /** SHA-256 of each of his tokens. */
  readonly hashes: readonly Buffer[]
  /** By what he may sign requests; none if left out. */
  readonly accessKeys?: readonly AccessKey[]
  readonly scopes: readonly Scope[]
  /** Empty: the operator's own. */
  readonly tenant: string
  /** What he may have called; anything if left out, unless functions are named. */
  readonly targets?: readonly OriginPattern[]
  /** Patterns of the functions that he may have called; any if left out, unless targets are named. */
  readonly functions?: readonly string[]
  readonly requestsPerSecond?: number
  readonly burst?: number
  readonly openMax?: number
}

/** Secrets stand in the file, unless somebody can read what they are said to stand in. */
const asGiven: SecretReader = (source) =>
  typeof source === 'string' ? { value: source } : { fault: 'This can only be a text here.' }

/** Reads the tokens that there are. @throws PosthasteError that names every wrong field, and no value of one */
export function parseTokenFile(input: unknown, readSecret: SecretReader = asGiven): TokenHolder[] {
  if (!schema.Check(input)) throw PosthasteError.ofFields(schemaErrors(schema, input))
  const errors: FieldError[] = []
  const seen = new Set<string>()
  const once = (value: string, pointer: string): void => {
    if (seen.has(value)) errors.push({ pointer, code: 'conflicting-fields', detail: 'This stands in two entries.' })
    seen.add(value)
  }
  const holders = input.tokens.map(({ accessKeys, sha256, targets, tenant = '', ...entry }, index) => {
    const pointer = `/tokens/${index}`
    const hashes = [sha256 ?? []].flat()
    once(entry.name, `${pointer}/name`)
    for (const one of hashes) once(one, `${pointer}/sha256`)
    for (const [at, { id }] of (accessKeys ?? []).entries()) once(`key ${id}`, `${pointer}/accessKeys/${at}/id`)
    if (!sha256 && !accessKeys) {
      const detail = 'Needed, unless there are accessKeys.'
      errors.push({ pointer: `${pointer}/sha256`, code: 'missing-field', detail })
    }
    if (tenant !== '' && entry.scopes.includes('operate')) {
      const detail = 'Who operates sees all tenants: leave out one of "operate" and "tenant".'
      errors.push({ pointer: `${pointer}/scopes`, code: 'conflicting-fields', detail })
    }
    if (entry.burst !== undefined && entry.requestsPerSecond === undefined) {
      const detail = 'Needed, because there is a burst.'
      errors.push({ pointer: `${pointer}/requestsPerSecond`, code: 'missing-field', detail })
    }
    const patterns = targets && readPatterns(targets, `${pointer}/targets`, errors)
    const keys = accessKeys && readAccessKeys(accessKeys, readSecret, `${pointer}/accessKeys`, errors)
    return {
      ...entry,
      tenant,
      hashes: hashes.map((one) => Buffer.from(one, 'hex')),
      ...(keys && { accessKeys: keys }),
      ...(patterns && { targets: patterns }),
    }
  })
  if (errors.length > 0) throw PosthasteError.ofFields(errors)
  return holders
}

function readPatterns(texts: readonly string[], pointer: string, errors: FieldError[]): OriginPattern[] {
  return texts.flatMap((text, index) => {
    const pattern = parseOriginPattern(text)
    const detail = `This must be an origin ${ORIGIN_PATTERN_FORM}.`
    if (!pattern) errors.push({ pointer: `${pointer}/${index}`, code: 'invalid-field', detail })
    return pattern ?? []
  })
}
