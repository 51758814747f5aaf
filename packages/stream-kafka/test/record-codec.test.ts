import t from 'tap'
import { outgoing, stored } from '../src/record-codec.js'

t.test('what is empty is stored as nothing, so that compaction removes its key', async (t) => {
  const full = outgoing('p.control', 0, { key: 'a', value: new Uint8Array([1, 2]) })
  t.strictSame(full.value, Buffer.from([1, 2]))
  const empty = outgoing('p.control', 0, { key: 'a', generation: 2, value: new Uint8Array(0) })
  t.equal(empty.value, null)
  const message = { ...empty, key: Buffer.from(empty.key), offset: '3', timestamp: '5', attributes: 0 }
  t.match(stored('control', 0, message), { key: 'a', generation: 2, offset: 3, value: Buffer.alloc(0) })
})
