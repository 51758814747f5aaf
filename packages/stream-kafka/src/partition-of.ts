/**
 * The partition of a key: FNV-1a over its UTF-16 code units, with a finish that spreads what differs at its end only.
 * Every process must come to the same, or a key loses its order: never change it.
 */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  }
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  hash ^= hash >>> 12
  return (hash >>> 0) % partitions
}
