import { chownSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import {
  type AccessKey,
  createAccessKey,
  createToken,
  hashToken,
  PosthasteError,
  parseTokenFile,
  type SecretReader,
  type TokenEntry,
} from '@posthaste/core'
import { CommandError, EXIT } from './exit-codes.js'

/** What somebody may do, as the command line says it. */
export interface Wanted {
  readonly name: string
  readonly scopes: readonly string[]
  readonly tenant?: string
  readonly targets?: readonly string[]
  readonly functions?: readonly string[]
  readonly requestsPerSecond?: number
  readonly burst?: number
  readonly openMax?: number
}

export function newToken(): { readonly token: string; readonly hash: string } {
  const token = createToken()
  return { token, hash: hashToken(token).toString('hex') }
}

export { createAccessKey }

/** The entry of a token, and of an access key if there is one. @throws CommandError if it would be none */
export function checkedEntry({ name, ...may }: Wanted, hash: string, accessKey?: AccessKey): TokenEntry {
  const entry = { name, sha256: hash, ...(accessKey && { accessKeys: [accessKey] }), ...may } as TokenEntry
  check({ tokens: [entry] }, 'What is wanted of the token')
  return entry
}

/** Adds an entry to a file of tokens, whole or not at all. @throws CommandError */
export function addToFile(path: string, entry: TokenEntry): void {
  const found = statSync(path, { throwIfNoEntry: false })
  const document = { tokens: [...(found ? readTokens(path) : []), entry] }
  check(document, `${path} with the entry`)
  const file = found ? realpathSync(path) : path
  const draft = `${file}.${process.pid}`
  try {
    writeFileSync(draft, `${JSON.stringify(document, undefined, 2)}\n`, { mode: found?.mode ?? 0o600, flag: 'wx' })
    // Who serves by it may be another than who makes tokens, and must still be able to read it.
    if (found) chownSync(draft, found.uid, found.gid)
    renameSync(draft, file)
  } finally {
    rmSync(draft, { force: true })
  }
}

function readTokens(path: string): readonly unknown[] {
  const document = parse(readFileSync(path, 'utf8'))
  check(document, path)
  return (document as { tokens: unknown[] }).tokens
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Secrets that stand elsewhere are looked at by who serves by the file: who makes tokens may not be able to read them. */
const unread: SecretReader = (source) => ({ value: typeof source === 'string' ? source : 'x'.repeat(32) })

function check(document: unknown, what: string): void {
  try {
    parseTokenFile(document, unread)
  } catch (error) {
    if (!(error instanceof PosthasteError)) throw error
    const faults = error.fields.map(({ detail, pointer }) => `${pointer || 'all of it'}: ${detail}`)
    throw new CommandError(EXIT.misused, `${what} is not valid:\n${faults.join('\n')}`, { cause: error })
  }
}
