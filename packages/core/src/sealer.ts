import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { PosthasteError } from './errors.js'
import { bufferOf, firstLineBytes } from './line-record.js'

/** A key of the operator's: 32 bytes, and the name by which what it seals tells that. */
export interface SealingKey {
  readonly id: string
  readonly bytes: Uint8Array
}

/** What a sealing key may be called. */
export const KEY_ID_PATTERN = '^[A-Za-z0-9._-]{1,64}$'
export const KEY_BYTES = 32

/** What sealing adds to a value, at the most. */
export const SEAL_BYTES_MAX = 256

const CIPHER = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16
const COUNT_BYTES = 6
const DATA_KEY_MS_MAX = 3_600_000
/** So many data keys are remembered. Each process makes one an hour in each of its threads. */
const OPENED_MAX = 1_000

// A sealed value is a record of a version that is kept for this: a process that knows nothing of seals stops at it.
const START = '{"v":2,"sealed":"'
const COUNT = ',"bodyBytes":'
const LINE = /^\{"v":2,"sealed":"([A-Za-z0-9._-]{1,64})","dataKey":"([A-Za-z0-9+/]{80})"$/
const VERSION_AT = 5
const HEAD_BYTES_MAX = SEAL_BYTES_MAX - IV_BYTES - TAG_BYTES

/** What a thread seals with for a while. */
interface DataKey {
  readonly key: KeyObject
  /** What stands in front of each value: the first line up to the number in it. */
  readonly head: Buffer
  readonly untilMs: number
  /** How many values it has sealed. The next one has this for its IV: nobody else has the key, so none is used twice. */
  count: number
}

/**
 * Seals what is kept, with AES-256-GCM: each value with a data key, which stands in front of it, itself sealed with the
 * first of the operator's keys. All of these open. So a key is changed by putting a new one first.
 */
export class Sealer {
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #first: string
  /** Data keys that were opened, by what says of them in a first line. */
  readonly #opened = new Map<string, KeyObject>()
  #own: DataKey | undefined

  constructor(keys: readonly SealingKey[]) {
    this.#keys = new Map(keys.map(({ bytes, id }) => [id, createSecretKey(bytes)]))
    this.#first = (keys[0] as SealingKey).id
  }

  /** Seals a value for a place: elsewhere it cannot be opened. */
  seal(bytes: Uint8Array, place: string): Buffer {
    const own = this.#dataKey()
    const iv = Buffer.alloc(IV_BYTES)
    iv.writeUIntBE(own.count, IV_BYTES - COUNT_BYTES, COUNT_BYTES)
    own.count += 1
    const count = Buffer.from(`${bytes.length + IV_BYTES + TAG_BYTES}}\n`)
    return Buffer.concat([own.head, count, ...encrypt(own.key, iv, bytes, place)])
  }

  /**
   * Opens what was sealed for a place; returns anything else as it is.
   * @throws PosthasteError `sealed`
   */
  open(bytes: Uint8Array, place: string): Uint8Array {
    if (!isSealed(bytes)) return bytes
    const head = headOf(bytes)
    const key = this.#opened.get(head) ?? this.#openKey(head)
    try {
      return decrypt(key, bufferOf(bytes).subarray(firstLineBytes(bytes) + 1), place)
    } catch (cause) {
      throw new PosthasteError('sealed', 'This was changed since it was sealed, or stood elsewhere then.', { cause })
    }
  }

  #dataKey(): DataKey {
    const nowMs = performance.now()
    if (!this.#own || nowMs > this.#own.untilMs) this.#own = this.#newKey(nowMs)
    return this.#own
  }

  #newKey(nowMs: number): DataKey {
    const bytes = randomBytes(KEY_BYTES)
    const first = this.#keys.get(this.#first) as KeyObject
    // Many threads seal theirs with this one.
    const wrapped = Buffer.concat(encrypt(first, randomBytes(IV_BYTES), bytes, keyPlace(this.#first)))
    const head = `${START}${this.#first}","dataKey":"${wrapped.toString('base64')}"${COUNT}`
    return { key: createSecretKey(bytes), head: Buffer.from(head), untilMs: nowMs + DATA_KEY_MS_MAX, count: 0 }
  }

  /** @throws PosthasteError `sealed` if the operator's key for it is not there, or is another */
  #openKey(head: string): KeyObject {
    const [, id = '', wrapped = ''] = LINE.exec(head) ?? []
    const key = this.#keys.get(id)
    if (!key) throw missing(id)
    const opened = createSecretKey(unwrap(key, id, wrapped))
    const [oldest] = this.#opened.keys()
    if (this.#opened.size >= OPENED_MAX && oldest !== undefined) this.#opened.delete(oldest)
    this.#opened.set(head, opened)
    return opened
  }
}

/** Whether a value looks sealed. */
export function isSealed(bytes: Uint8Array): boolean {
  // Of what Posthaste writes unsealed the version is another.
  return bytes[VERSION_AT] === 0x32 && bufferOf(bytes).toString('latin1', 0, START.length) === START
}

/** Why a value that looks sealed cannot be read by whoever has no keys. */
export function sealed(bytes: Uint8Array): PosthasteError {
  const [, id = ''] = LINE.exec(headOf(bytes)) ?? []
  return missing(id)
}

function missing(id: string): PosthasteError {
  const key = id === '' ? 'a key' : `the key "${id}"`
  return new PosthasteError('sealed', `This is sealed with ${key}, which is not in POSTHASTE_KEYS: put it there.`)
}

/** What a first line says of the data key: all but how many bytes follow. */
function headOf(bytes: Uint8Array): string {
  const line = bufferOf(bytes).toString('latin1', 0, HEAD_BYTES_MAX)
  return line.slice(0, Math.max(0, line.indexOf(COUNT)))
}

function unwrap(key: KeyObject, id: string, wrapped: string): Buffer {
  try {
    return decrypt(key, Buffer.from(wrapped, 'base64'), keyPlace(id))
  } catch (cause) {
    const detail = `This is sealed with another key "${id}" than the one in POSTHASTE_KEYS.`
    throw new PosthasteError('sealed', detail, { cause })
  }
}

function keyPlace(id: string): string {
  return `key ${id}`
}

/** The IV, what is encrypted, and the tag. */
function encrypt(key: KeyObject, iv: Buffer, bytes: Uint8Array, place: string): Buffer[] {
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(Buffer.from(place))
  return [iv, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]
}

/** @throws Error if it was sealed with another key, or for another place, or is not as it was */
function decrypt(key: KeyObject, sealed: Buffer, place: string): Buffer {
  const tagAt = Math.max(IV_BYTES, sealed.length - TAG_BYTES)
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(place)).setAuthTag(sealed.subarray(tagAt))
  const bytes = decipher.update(sealed.subarray(IV_BYTES, tagAt))
  decipher.final()
  return bytes
}
