import { isSealed, type Sealer, sealed } from '@posthaste/core'
import type { Table } from '../environment.js'

/** What a view does with values, and with what they stand under. */
export type ValueTable = Pick<Table<Buffer>, 'clearSync' | 'get' | 'getKeys' | 'getStats' | 'putSync' | 'removeSync'>

/** The same table with its values sealed, each for its place; without a sealer, with those that are not. */
export function valueTable(table: Table<Buffer>, name: string, sealer: Sealer | undefined): ValueTable {
  const placeOf = (key: Buffer): string => `view ${name} ${key.toString('latin1')}`
  const open = (bytes: Buffer, key: Buffer): Buffer =>
    sealer ? (sealer.open(bytes, placeOf(key)) as Buffer) : notSealed(bytes)
  return {
    /** @throws PosthasteError `sealed` */
    get(key) {
      const bytes = table.get(key)
      return bytes && open(bytes, key)
    },
    putSync: (key: Buffer, value: Buffer) => table.putSync(key, sealer ? sealer.seal(value, placeOf(key)) : value),
    removeSync: (key: Buffer) => table.removeSync(key),
    getKeys: (options) => table.getKeys(options),
    getStats: () => table.getStats(),
    clearSync: () => table.clearSync(),
  }
}

/** Another process may have got keys while this one has none. */
function notSealed(bytes: Buffer): Buffer {
  if (isSealed(bytes)) throw sealed(bytes)
  return bytes
}
