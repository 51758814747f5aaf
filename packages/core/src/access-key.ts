import { randomBytes } from 'node:crypto'
import type { FieldError } from './errors.js'
import { Type } from './json-schema.js'
import { Secret, type SecretReader, type SecretSource } from './target-file.js'

/** By what requests are signed, as the systems of AWS and Alibaba do it: the id is sent, the secret never. */
export interface AccessKey {
  readonly id: string
  readonly secret: string
}

/** Returns a new one: no two have the same id, and its secret cannot be guessed. */
export function createAccessKey(): AccessKey {
  return { id: `PHAK${randomBytes(8).toString('hex').toUpperCase()}`, secret: randomBytes(30).toString('base64url') }
}

export const AccessKeySchema = Type.Object(
  { id: Type.String({ pattern: '^[A-Za-z0-9._-]{4,128}$' }), secret: Secret },
  { additionalProperties: false },
)

/** Who sees a request and its signature may try secrets at home: what is shorter could be found. */
const SECRET_FORM = /^[\x21-\x7e]{16,256}$/

/** Reads the secrets of some keys. What is wrong with them is added to `errors`, without a secret. */
export function readAccessKeys(
  keys: readonly { readonly id: string; readonly secret: SecretSource }[],
  readSecret: SecretReader,
  pointer: string,
  errors: FieldError[],
): AccessKey[] {
  return keys.flatMap(({ id, secret }, index) => {
    const read = readSecret(secret)
    const fault = 'fault' in read ? read.fault : faultOf(read.value)
    if (fault !== undefined)
      errors.push({ pointer: `${pointer}/${index}/secret`, code: 'invalid-field', detail: fault })
    return 'value' in read ? { id, secret: read.value } : []
  })
}

function faultOf(secret: string): string | undefined {
  return SECRET_FORM.test(secret) ? undefined : 'A secret is 16 to 256 printable ASCII characters without blanks.'
}
