import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { Environment, type Table } from '../src/environment.js'
import { makeDirectory, removeDirectory } from './directory.js'

const run = promisify(execFile)
const MIB = 1024 * 1024

interface Opened {
  readonly directory: string
  readonly environment: Environment
  readonly table: Table<number>
}

function open(t: Test, reserveBytes = 0, directory = makeDirectory()): Opened {
  const environment = new Environment({ directory, reserveBytes })
  t.teardown(async () => {
    await environment.close()
    removeDirectory(directory)
  })
  return { directory, environment, table: environment.table<number>('table') }
}

function keysOf(table: Table<number>): number[] {
  return [...table.getKeys()]
}

t.test('each commit resolves with the result of its work, which sees what was written before it', async (t) => {
  const { environment, table } = open(t)
  const order: number[] = []
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      environment.commit(() => {
        order.push(index)
        const before = table.get(index - 1)?.toString()
        table.putSync(index, Buffer.from(`value ${index}`))
        return before
      }),
    ),
  )
  t.strictSame(order, [...order.keys()], 'in the order in which they were asked for')
  t.strictSame(results, [undefined, ...Array.from({ length: 99 }, (_, index) => `value ${index}`)])
  t.equal(table.get(99)?.toString(), 'value 99')
})

t.test('what is asked for in one turn is one transaction, and what fails undoes it all', async (t) => {
  const { environment, table } = open(t)
  await environment.commit(() => table.putSync(1, Buffer.from('before')))
  const put = (key: number): Promise<void> => environment.commit(() => void table.putSync(key, Buffer.from('new')))
  const wrong = new Error('wrong')
  const group = [
    put(1),
    put(2),
    environment.commit(() => {
      throw wrong
    }),
    put(3),
  ]
  const ends = await Promise.allSettled(group)
  t.ok(
    ends.every((end) => end.status === 'rejected' && end.reason === wrong),
    'all reject with the reason',
  )
  t.strictSame(keysOf(table), [1])
  t.equal(table.get(1)?.toString(), 'before', 'nothing of the group is kept')

  await Promise.all([put(4), put(5)])
  t.strictSame(keysOf(table), [1, 4, 5], 'the next group is not touched by it')
})

t.test('a later turn is another transaction', async (t) => {
  const { environment, table } = open(t)
  const first = environment.commit(() => void table.putSync(1, Buffer.alloc(1)))
  await new Promise(setImmediate)
  const second = environment.commit(() => {
    throw new Error('wrong')
  })
  t.equal((await Promise.allSettled([first, second])).map(({ status }) => status).join(), 'fulfilled,rejected')
  t.strictSame(keysOf(table), [1])
})

t.test('closing waits for what is being written, and may be repeated', async (t) => {
  const { directory, environment, table } = open(t)
  let written = 0
  const writing = Array.from({ length: 10 }, (_, key) =>
    environment
      .commit(() => void table.putSync(key, Buffer.alloc(1)))
      .then(() => {
        written += 1
      }),
  )
  await Promise.all([environment.close(), environment.close()])
  t.equal(written, 10)
  await Promise.all(writing)
  await environment.close()
  await t.rejects(
    environment.commit(() => undefined),
    { code: 'stopping' },
  )
  const again = new Environment({ directory, reserveBytes: 0 })
  t.strictSame(keysOf(again.table<number>('table')), [...Array(10).keys()], 'it is on disk')
  await again.close()
})

t.test('the data directory is made, for its owner alone', async (t) => {
  const parent = makeDirectory()
  t.teardown(() => removeDirectory(parent))
  const directory = join(parent, 'a', 'b')
  const environment = new Environment({ directory, reserveBytes: 0 })
  await environment.close()
  t.equal(statSync(directory).mode & 0o777, 0o700)
  for (const name of readdirSync(directory)) t.equal(statSync(join(directory, name)).mode & 0o077, 0, name)
})

t.test('files of one directory are apart: each has its own tables, and its own writer', async (t) => {
  const { directory, environment, table } = open(t)
  const other = new Environment({ directory, file: 'other.lmdb', reserveBytes: 0 })
  t.teardown(() => other.close())
  const sameName = other.byteTable('table')
  let inner: Promise<void> | undefined
  await environment.commit(() => {
    table.putSync(1, Buffer.from('one'))
    inner = other.commit(() => void sameName.putSync(Buffer.of(2), Buffer.from('two')))
  })
  await inner
  t.strictSame(keysOf(table), [1])
  t.strictSame([...sameName.getKeys({ start: Buffer.of(0), end: Buffer.of(9) })], [Buffer.of(2)])
  for (const name of ['posthaste.lmdb', 'other.lmdb']) t.equal(statSync(join(directory, name)).mode & 0o077, 0, name)
})

t.test('a file that is none is refused, one that is empty is not', async (t) => {
  for (const content of [Buffer.alloc(10), Buffer.alloc(8_192, 'x'), Buffer.from('{"not": "a database"}')]) {
    const directory = makeDirectory()
    t.teardown(() => removeDirectory(directory))
    writeFileSync(join(directory, 'posthaste.lmdb'), content)
    t.throws(() => new Environment({ directory, reserveBytes: 0 }), {
      code: 'stream-unfit',
      message: /posthaste\.lmdb/,
    })
    writeFileSync(join(directory, 'posthaste.lmdb'), '')
    await new Environment({ directory, reserveBytes: 0 }).close()
    await new Environment({ directory, reserveBytes: 0 }).close()
  }
})

t.test('tables with bytes as keys keep them in the order of the bytes', async (t) => {
  const { environment } = open(t)
  const bytes = environment.byteTable('bytes')
  const keys = [Buffer.of(0xff), Buffer.of(0), Buffer.of(1, 0), Buffer.of(1), Buffer.of(0, 0xff)]
  await environment.commit(() => {
    for (const key of keys) bytes.putSync(key, Buffer.alloc(0))
  })
  const sorted = keys.toSorted(Buffer.compare)
  t.strictSame([...bytes.getKeys({ start: Buffer.of(0), end: Buffer.of(0xff, 0xff) })], sorted)
  t.strictSame(
    [...bytes.getKeys({ start: Buffer.of(1), end: Buffer.of(0), reverse: true })],
    [Buffer.of(1), Buffer.of(0, 0xff)],
  )
})

t.test('a process that is killed while it reads does not keep pages from being used again', async (t) => {
  const { directory, environment, table } = open(t)
  const script = fileURLToPath(new URL('killed-reader-process.js', import.meta.url))
  await environment.commit(() => table.putSync(1, Buffer.from('before')))
  t.equal(spawnSync(process.execPath, [script, directory]).signal, 'SIGKILL')
  const replace = (): Promise<void> => environment.commit(() => void table.putSync(1, Buffer.alloc(MIB)))
  const sizeOf = (): number => statSync(join(directory, 'posthaste.lmdb')).size
  const untilMs = performance.now() + 20_000
  // Without the check the file grows by each of these.
  let before = -1
  while (before !== sizeOf() && performance.now() < untilMs) {
    before = sizeOf()
    for (let time = 0; time < 10; time += 1) await replace()
    await sleep(500)
  }
  t.equal(sizeOf(), before, 'the file stops growing')
})

t.test('tables keep their keys in order, and apart from those of others', async (t) => {
  const { environment, table } = open(t)
  const pairs = environment.table<[number, number]>('pairs')
  const numbers = [3, -1, 2 ** 40, 0.5, 10]
  await environment.commit(() => {
    for (const number of numbers) {
      table.putSync(number, Buffer.alloc(0))
      pairs.putSync([number, 1], Buffer.alloc(0))
      pairs.putSync([number, 0], Buffer.alloc(0))
    }
  })
  const sorted = numbers.toSorted((a, b) => a - b)
  t.strictSame(keysOf(table), sorted)
  t.strictSame(
    [...pairs.getKeys()],
    sorted.flatMap((number) => [
      [number, 0],
      [number, 1],
    ]),
  )
})

t.test('processes share a data directory', async (t) => {
  const { directory, environment } = open(t)
  const numbers = environment.table<string>('numbers')
  const script = fileURLToPath(new URL('counting-process.js', import.meta.url))
  const running = Promise.all([1, 2].map(() => run(process.execPath, [script, directory, '200'])))
  for (let time = 0; time < 200; time += 1) {
    await environment.commit(() => {
      const number = Number(numbers.get('counted')?.toString() ?? 0)
      numbers.putSync('counted', Buffer.from(String(number + 1)))
    })
  }
  await running
  environment.refresh()
  t.equal(numbers.get('counted')?.toString(), '600', 'no count is lost')
})

t.test('there is no room in the reserve', async (t) => {
  const { environment } = open(t, Number.MAX_SAFE_INTEGER)
  const { freeBytes, reserveBytes } = environment.room()
  t.ok(freeBytes > 0 && freeBytes < reserveBytes)
  t.equal(environment.takeRoom(1), false)
  t.equal(environment.takeRoom(0), false)
  t.equal(await environment.commit(() => 'written'), 'written', 'what was accepted can be worked off')
})

t.test('room is taken until the reserve is reached, not only when the disk is asked', async (t) => {
  const { environment } = open(t)
  const { freeBytes } = environment.room()
  t.equal(environment.takeRoom(freeBytes), false, 'more may be written than a record has bytes')
  t.equal(environment.takeRoom(Math.floor(freeBytes / 10)), true)
  t.equal(environment.takeRoom(Math.floor(freeBytes / 5)), false, 'what was taken is gone')
})

t.test('a table that is opened twice takes its room once', async (t) => {
  const { environment, table } = open(t)
  await environment.commit(() => table.putSync(1, Buffer.alloc(8 * MIB)))
  await environment.commit(() => table.putSync(2, Buffer.alloc(8 * MIB)))
  await environment.commit(() => table.removeSync(1))
  const before = environment.room().freeBytes
  for (let time = 0; time < 3; time += 1) environment.table('table')
  t.ok(Math.abs(environment.room().freeBytes - before) < 4 * MIB, 'free pages of the file still count')
})

t.test('a full disk', { skip: canMount() ? false : 'no tmpfs can be mounted here' }, async (t) => {
  const directory = join(makeDirectory(), 'small')
  mkdirSync(directory)
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', directory])
  t.teardown(() => {
    spawnSync('umount', [directory])
    removeDirectory(join(directory, '..'))
  })
  const environment = new Environment({ directory, reserveBytes: 2 * MIB })
  const table = environment.table<number>('table')
  t.equal(environment.takeRoom(MIB), true)
  writeFileSync(join(directory, 'of-somebody-else'), Buffer.alloc(12 * MIB))
  let key = 0
  const putMore = async (): Promise<void> => {
    for (; ; key += 1) await environment.commit(() => table.putSync(key, Buffer.alloc(64 * 1024, key)))
  }
  await t.rejects(putMore(), { name: 'PosthasteError', code: 'stream-full' })
  t.ok(key > 10)
  t.strictSame(keysOf(table), [...Array(key).keys()], 'what was written before is there, what failed is not')
  t.ok(environment.room().freeBytes < 2 * MIB)
  t.equal(environment.takeRoom(1), false)

  for (let at = 0; at < key; at += 1) await environment.commit(() => table.removeSync(at))
  t.ok(environment.room().freeBytes > 2 * MIB, 'pages that came free inside the file are room')
  environment.refresh()
  await environment.commit(() => table.putSync(key, Buffer.alloc(64 * 1024, 1)))
  t.strictSame(keysOf(table), [key], 'and it goes on')
  await environment.close()
})

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false
  const directory = makeDirectory()
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]).status === 0
  if (isMounted) spawnSync('umount', [directory])
  removeDirectory(directory)
  return isMounted
}
