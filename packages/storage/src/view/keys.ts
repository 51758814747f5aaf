const UUID_TEXT_BYTES = 36
export const UUID_KEY_BYTES = 17
const IS_UUID = 0
const IS_TEXT = 1
const DASH = '-'.charCodeAt(0)

/** The value of each hexadecimal digit by its character code; 16 for any other. */
const NIBBLES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(code))
  return value < 0 ? 16 : value
})

export const TIME_BYTES = 6
const TIME_MAX = 2 ** 48 - 1

/** The bytes that stand for an id in every key: 17 for a UUID in lower case, all others as text. */
export function idKey(id: string): Buffer {
  return uuidKey(id) ?? Buffer.concat([Buffer.of(IS_TEXT), Buffer.from(id)])
}

function uuidKey(id: string): Buffer | undefined {
  if (id.length !== UUID_TEXT_BYTES) return undefined
  const key = Buffer.allocUnsafe(UUID_KEY_BYTES)
  key[0] = IS_UUID
  let from = 0
  for (let to = 1; to < UUID_KEY_BYTES; to += 1) {
    if (to === 5 || to === 7 || to === 9 || to === 11) {
      if (id.charCodeAt(from) !== DASH) return undefined
      from += 1
    }
    const high = NIBBLES[id.charCodeAt(from)] ?? 16
    const low = NIBBLES[id.charCodeAt(from + 1)] ?? 16
    if (high > 15 || low > 15) return undefined
    key[to] = high * 16 + low
    from += 2
  }
  return key
}

/** The id that `idKey` made `key` of; undefined if it made it of none. */
export function idOf(key: Buffer): string | undefined {
  if (key[0] === IS_TEXT) return key.toString('utf8', 1)
  if (key[0] !== IS_UUID || key.length !== UUID_KEY_BYTES) return undefined
  const hex = key.toString('hex', 1)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** A time as it stands in keys, in order. Other producers bring times before 1970. */
export function writeTime(ms: number, key: Buffer, offset: number): void {
  key.writeUIntBE(Math.min(Math.max(0, Math.floor(ms)), TIME_MAX), offset, TIME_BYTES)
}
