import { InvalidArgumentError, Option } from 'commander'

/** The flag for an Idempotency-Key. */
export function keyOption(): Option {
  return new Option('--idempotency-key <key>', 'What is asked twice with one key is done once.').argParser(readKey)
}

/** The header for a key, if there is one: a string of RFC 8941, section 3.3.3. */
export function idempotencyHeaders(key: string | undefined): Readonly<Record<string, string>> {
  return key === undefined ? {} : { 'idempotency-key': `"${key.replace(/["\\]/g, '\\$&')}"` }
}

function readKey(text: string): string {
  if (!/^[\x20-\x7e]+$/.test(text)) throw new InvalidArgumentError('It is not of printable ASCII characters.')
  return text
}
