import t from 'tap'
import { decodeCall, parseKeyFile, SEAL_BYTES_MAX, Sealer, type SealingKey, type SecretReader } from '../src/index.js'
import { errorOf, failureOf } from './failure.js'

const keyOf = (id: string, byte: number): SealingKey => ({ id, bytes: new Uint8Array(32).fill(byte) })
const [a, b] = [keyOf('a', 1), keyOf('b', 2)]
const SECRET = Buffer.from('what nobody is to read')
const PLACE = 'calls of-somebody'

t.test('what is sealed is opened at its place, and says nothing before', async (t) => {
  const sealer = new Sealer([a])
  for (const bytes of [SECRET, Buffer.alloc(0), Buffer.alloc(100_000, 7)]) {
    const sealed = sealer.seal(bytes, PLACE)
    t.ok(bytes.length === 0 || !sealed.includes(bytes))
    t.notOk(sealer.seal(bytes, PLACE).equals(sealed), 'and is another each time')
    t.ok(Buffer.from(sealer.open(sealed, PLACE)).equals(bytes))
    t.ok(Buffer.from(new Sealer([a]).open(sealed, PLACE)).equals(bytes), 'in another process too')
  }
  t.equal(sealer.open(SECRET, PLACE), SECRET, 'what is not sealed stays as it is')
})

t.test('a key is changed by putting another first', async (t) => {
  const old = new Sealer([a]).seal(SECRET, PLACE)
  const changed = new Sealer([b, a])
  t.match(Buffer.from(changed.open(old, PLACE)).toString(), SECRET.toString())
  const fresh = changed.seal(SECRET, PLACE)
  t.match(fresh.toString('latin1'), /^\{"v":2,"sealed":"b",/)
  t.match(Buffer.from(new Sealer([b]).open(fresh, PLACE)).toString(), SECRET.toString(), 'the old one is not needed')
})

t.test('a data key is used for an hour', async (t) => {
  let nowMs = 0
  t.intercept(performance, 'now', { value: () => nowMs })
  const sealer = new Sealer([a])
  const [first, second, third] = [0, 59, 61].map((minutes) => {
    nowMs = minutes * 60_000
    return sealer.seal(SECRET, PLACE)
  }) as [Buffer, Buffer, Buffer]
  const lineOf = (sealed: Buffer): string => sealed.toString('latin1', 0, sealed.indexOf('\n'))
  t.equal(lineOf(second), lineOf(first))
  t.not(lineOf(third), lineOf(first))
  for (const sealed of [first, second, third]) t.ok(SECRET.equals(sealer.open(sealed, PLACE)))
})

t.test('without its key, at another place, or changed it is not opened', async (t) => {
  const sealed = new Sealer([a]).seal(SECRET, PLACE)
  t.match(
    failureOf(() => new Sealer([b]).open(sealed, PLACE)),
    { code: 'sealed', message: /the key "a", which is not in/ },
  )
  t.match(
    failureOf(() => new Sealer([keyOf('a', 2)]).open(sealed, PLACE)),
    { code: 'sealed', message: /another key "a"/ },
  )
  t.match(
    failureOf(() => new Sealer([a]).open(sealed, 'calls of-another')),
    { code: 'sealed', message: /changed since it was sealed, or stood elsewhere/ },
  )
  const sealer = new Sealer([a])
  // How many bytes follow is said for others, and not looked at.
  const count = sealed.indexOf('"bodyBytes":') + '"bodyBytes":'.length
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed)
    changed[at] = (changed[at] as number) ^ 1
    let opened: Uint8Array | undefined
    const error = errorOf(() => {
      opened = sealer.open(changed, PLACE)
    })
    // What does not look sealed any more stays as it is.
    const isRight = error?.code === 'sealed' || opened === changed || (at >= count && at < count + 3)
    if (!isRight) t.fail(`byte ${at}`)
  }
  for (const cut of [20, 130, sealed.length - 1, sealed.length - 40])
    t.match(
      failureOf(() => sealer.open(sealed.subarray(0, cut), PLACE)),
      { code: 'sealed' },
      `${cut}`,
    )
})

t.test('it adds no more than is said', async (t) => {
  const sealer = new Sealer([keyOf('x'.repeat(64), 1)])
  for (const length of [0, 1, 9_999_999]) {
    const sealed = sealer.seal(Buffer.alloc(length), PLACE)
    t.ok(sealed.length - length <= SEAL_BYTES_MAX, `${sealed.length - length}`)
    t.equal(sealer.open(sealed, PLACE).length, length)
  }
})

t.test('who reads it as a call is told that it is sealed', async (t) => {
  const sealed = new Sealer([a]).seal(SECRET, PLACE)
  const read = () => decodeCall(sealed, { log: 'calls', partition: 0, offset: 0, appendedAtMs: 0 })
  t.match(failureOf(read), { code: 'sealed', message: /the key "a"/ })
})

const KEY = Buffer.alloc(32, 9).toString('base64')
const reader: SecretReader = (source) =>
  typeof source === 'string'
    ? { value: source }
    : 'env' in source
      ? { value: KEY }
      : { fault: 'The file is not there.' }

t.test('a file of keys is read, and all that is wrong in it is told, but no key', async (t) => {
  const keys = parseKeyFile(
    {
      keys: [
        { id: '2026-12', key: KEY },
        { id: 'b', key: { env: 'B' } },
      ],
    },
    reader,
  )
  t.strictSame(keys, [keyOf('2026-12', 9), keyOf('b', 9)])
  const short = KEY.slice(4)
  const wrong = [
    { id: 'a', key: short },
    { id: 'a', key: { file: 'none' } },
    { id: 'b', key: `${KEY}\n` },
  ]
  const { fields = [], message } = failureOf(() => parseKeyFile({ keys: wrong }, reader))
  t.strictSame(
    fields.map(({ pointer }) => pointer),
    ['/keys/0/key', '/keys/1/id', '/keys/1/key', '/keys/2/key'],
  )
  t.notMatch(JSON.stringify({ fields, message }), short)
  for (const none of [{ keys: [] }, {}, { keys: [{ id: 'a b', key: KEY }] }, { keys: [{ id: '', key: KEY }] }, []])
    t.throws(() => parseKeyFile(none, reader), JSON.stringify(none))
})
