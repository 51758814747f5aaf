import { Compile } from 'typebox/schema'
import { type FieldError, PosthasteError } from './errors.js'
import { Type } from './json-schema.js'
import { schemaErrors } from './schema-errors.js'
import { KEY_BYTES, KEY_ID_PATTERN, type SealingKey } from './sealer.js'
import { Secret, type SecretReader } from './target-file.js'

const Closed = { additionalProperties: false } as const
const Key = Type.Object({ id: Type.String({ pattern: KEY_ID_PATTERN }), key: Secret }, Closed)
const schema = Compile(Type.Object({ keys: Type.Array(Key, { minItems: 1, maxItems: 100 }) }, Closed))

/** Reads the keys that what is kept is sealed with. @throws PosthasteError that names every wrong field, and no key */
export function parseKeyFile(input: unknown, readSecret: SecretReader): SealingKey[] {
  if (!schema.Check(input)) throw PosthasteError.ofFields(schemaErrors(schema, input))
  const errors: FieldError[] = []
  const ids = new Set<string>()
  const keys = input.keys.map(({ id, key }, index) => {
    const fail = (field: string, detail: string): void => {
      errors.push({ pointer: `/keys/${index}/${field}`, code: 'invalid-field', detail })
    }
    if (ids.has(id)) fail('id', 'Another key has this id.')
    ids.add(id)
    const read = readSecret(key)
    const bytes = 'value' in read ? keyBytes(read.value) : undefined
    if ('fault' in read) fail('key', read.fault)
    else if (!bytes) fail('key', `This must be ${KEY_BYTES} random bytes as base64.`)
    return { id, bytes: bytes ?? new Uint8Array(KEY_BYTES) }
  })
  if (errors.length > 0) throw PosthasteError.ofFields(errors)
  return keys
}

function keyBytes(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  // A copy: a small Buffer is a part of a larger one, which would go along to each thread.
  return bytes.length === KEY_BYTES && bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined
}
