import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Static } from 'typebox'
import { Compile } from 'typebox/schema'
import { type FieldError, PosthasteError } from './errors.js'
import { Type } from './json-schema.js'
import { schemaErrors } from './schema-errors.js'
import { parseSigningKey, SIGNING_KEY_FORM, type SigningKey } from './signing-key.js'
import { parseTargetPattern, type TargetPattern, type TargetRule, type TargetTls, TLS_VERSIONS } from './target-rule.js'

const Closed = { additionalProperties: false } as const
/** A secret by value, or where it is. */
export const Secret = Type.Union([
  Type.String(),
  Type.Object({ env: Type.String() }, Closed),
  Type.Object({ file: Type.String() }, Closed),
])

const RuleSchema = Type.Object(
  {
    match: Type.String(),
    sign: Type.Optional(Type.Object({ secrets: Type.Array(Secret, { minItems: 1, maxItems: 10 }) }, Closed)),
    tls: Type.Optional(
      Type.Object(
        {
          cert: Type.Optional(Secret),
          key: Type.Optional(Secret),
          ca: Type.Optional(Secret),
          minVersion: Type.Optional(Type.Enum([...TLS_VERSIONS])),
        },
        { ...Closed, minProperties: 1 },
      ),
    ),
    // RFC 6901.
    redact: Type.Optional(Type.Array(Type.String({ pattern: '^(/([^/~]|~[01])*)*$' }), { minItems: 1, maxItems: 100 })),
  },
  // One that says nothing is a mistake.
  { ...Closed, minProperties: 2 },
)
const schema = Compile(Type.Object({ targets: Type.Array(RuleSchema, { maxItems: 1_000 }) }, Closed))
type RuleInput = Static<typeof RuleSchema>
type TlsInput = NonNullable<RuleInput['tls']>

/** A secret, or where it is: in a variable of the environment, or in a file. */
export type SecretSource = Static<typeof Secret>

/** Returns the secret, or says, without it, why it cannot be had. */
export type SecretReader = (source: SecretSource) => { readonly value: string } | { readonly fault: string }

/** Reads what is said of targets. @throws PosthasteError that names every wrong field, and no value of one */
export function parseTargetFile(input: unknown, readSecret: SecretReader): TargetRule[] {
  if (!schema.Check(input)) throw PosthasteError.ofFields(schemaErrors(schema, input))
  const errors: FieldError[] = []
  const rules = input.targets.map((rule, index) => {
    const fail = (pointer: string, detail: string): void => {
      errors.push({ pointer: `/targets/${index}${pointer}`, code: 'invalid-field', detail })
    }
    const textOf = (secret: SecretSource, pointer: string): string => {
      const read = readSecret(secret)
      if ('value' in read) return read.value
      fail(pointer, read.fault)
      return ''
    }
    return readRule(rule, textOf, fail)
  })
  if (errors.length > 0) throw PosthasteError.ofFields(errors)
  return rules
}

/** Says what is wrong with a field of a rule. */
type Fail = (pointer: string, detail: string) => void
/** Returns the text of a secret; empty if it cannot be had. */
type TextOf = (secret: SecretSource, pointer: string) => string

function readRule({ match, redact, sign, tls }: RuleInput, textOf: TextOf, fail: Fail): TargetRule {
  const pattern = readPattern(match, fail)
  const keys = sign?.secrets.map((secret, index) => readKey(secret, `/sign/secrets/${index}`, textOf, fail))
  return {
    match: pattern,
    ...(keys && { sign: keys }),
    ...(tls && { tls: readTls(tls, pattern, textOf, fail) }),
    ...(redact && { redact }),
  }
}

function readPattern(match: string, fail: Fail): TargetPattern {
  const pattern = parseTargetPattern(match)
  if (!pattern)
    fail(
      '/match',
      'This must be such as https://api.example.com, https://*.example.com:8443 or https://example.com/a/*.',
    )
  return pattern ?? { origin: {} }
}

function readKey(secret: SecretSource, pointer: string, textOf: TextOf, fail: Fail): SigningKey {
  const text = textOf(secret, pointer)
  const key = parseSigningKey(text)
  if (!key && text !== '') fail(pointer, `This must be ${SIGNING_KEY_FORM}.`)
  return key ?? { scheme: 'hmac', bytes: new Uint8Array(0) }
}

function readTls(input: TlsInput, { origin, path }: TargetPattern, textOf: TextOf, fail: Fail): TargetTls {
  if (path !== undefined) fail('/tls', 'A connection is for a whole origin: this needs a match without a path.')
  if (origin.scheme === 'http') fail('/tls', 'There is no TLS with http.')
  const { ca, cert, key, minVersion } = input
  const tls: TargetTls = {
    ...(minVersion && { minVersion }),
    ...(ca !== undefined && { ca: textOf(ca, '/tls/ca') }),
    ...(cert !== undefined && { cert: textOf(cert, '/tls/cert') }),
    ...(key !== undefined && { key: textOf(key, '/tls/key') }),
  }
  // Node takes any text for certificates to trust, and then trusts nobody.
  if (tls.ca) check(() => new X509Certificate(tls.ca as string), '/tls/ca', fail)
  if ((cert === undefined) !== (key === undefined)) fail('/tls', 'A cert needs its key, and a key its cert.')
  else if (tls.cert && tls.key) check(() => createSecureContext({ cert: tls.cert, key: tls.key }), '/tls', fail)
  return tls
}

/** What OpenSSL says of a text is in its code, and has nothing of the text. */
function check(use: () => unknown, pointer: string, fail: Fail): void {
  try {
    use()
  } catch (error) {
    fail(pointer, `This cannot be used: ${(error as { code?: string }).code}.`)
  }
}
