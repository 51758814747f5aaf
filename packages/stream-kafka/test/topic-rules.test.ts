import t from 'tap'
import { partitionOf } from '../src/partition-of.js'
import { checkConfig } from '../src/topic-rules.js'

const fit = new Map([
  ['cleanup.policy', 'delete'],
  ['retention.ms', '-1'],
  ['retention.bytes', '-1'],
  ['min.insync.replicas', '2'],
  ['message.timestamp.type', 'LogAppendTime'],
])
const WANTED: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'compression.type': 'producer',
  'message.timestamp.type': 'LogAppendTime',
}
const compacted = new Map([...fit, ['cleanup.policy', 'compact']])
const having = (name: string, value: string): Map<string, string> => new Map([...fit, [name, value]])

t.test('topics that keep the promises pass', async (t) => {
  t.strictSame(checkConfig('p.calls', 'calls', fit, 3), { warnings: [] })
  t.strictSame(checkConfig('p.journal', 'journal', having('retention.ms', '1000'), 3), { warnings: [] })
  t.strictSame(checkConfig('p.control', 'control', compacted, 3), { warnings: [] })
  t.strictSame(checkConfig('p.claims', 'claims', having('retention.ms', '1000'), 3, 1_000), { warnings: [] })
  t.strictSame(checkConfig('p.claims', 'claims', fit, 3, 1_000), { warnings: [] })
  t.strictSame(checkConfig('p.clock', 'clock', having('retention.ms', '1000'), 3), { warnings: [] })
  t.strictSame(checkConfig('p.clock', 'clock', having('min.insync.replicas', '1'), 3), { warnings: [] })
})

t.test('what would break one is refused, with the command that mends it', async (t) => {
  for (const [kind, name, value] of [
    ['calls', 'retention.ms', '604800000'],
    ['timers', 'retention.bytes', '1000'],
    ['calls', 'cleanup.policy', 'compact,delete'],
    ['journal', 'cleanup.policy', 'compact'],
    ['claims', 'cleanup.policy', 'compact'],
    ['calls', 'compression.type', 'zstd'],
    ['clock', 'message.timestamp.type', 'CreateTime'],
  ] as const) {
    const wanted = WANTED[name as string] ?? '-1'
    t.throws(() => checkConfig('p.topic', kind, having(name, value), 1), {
      code: 'stream-unfit',
      message: new RegExp(`p\\.topic has ${name}=${value} and must have ${wanted}.*--add-config ${name}=${wanted}`),
    })
  }
})

t.test('of control nothing is kept but the last record of each key, and that for ever', async (t) => {
  for (const policy of ['delete', 'compact,delete']) {
    const found = having('cleanup.policy', policy)
    t.throws(() => checkConfig('p.control', 'control', found, 1), {
      code: 'stream-unfit',
      message: /p\.control has cleanup\.policy=\S+ and must have compact: .*--add-config cleanup\.policy=compact/,
    })
  }
})

t.test('what may lose something is warned of', async (t) => {
  const { warnings } = checkConfig('p.claims', 'claims', having('retention.ms', '1000'), 3, 2_000)
  t.equal(warnings.length, 1)
  t.match(warnings[0], /retention\.ms is 1000: .*2000/)
  t.equal(checkConfig('p.calls', 'calls', having('min.insync.replicas', '1'), 3).warnings.length, 1)
  t.equal(checkConfig('p.calls', 'calls', having('min.insync.replicas', '1'), 1).warnings.length, 0)
  t.equal(checkConfig('p.calls', 'calls', having('message.timestamp.type', 'CreateTime'), 3).warnings.length, 1)
})

t.test('the partition of a key never changes, and all have their share', async (t) => {
  t.strictSame(
    ['', 'a', 'one-key', '0190b5a4-7c3e-7d2a-9b1f-3f6f2f1f9a01'].map((key) => partitionOf(key, 24)),
    [6, 21, 17, 4],
  )
  const counts = new Array<number>(24).fill(0)
  for (let index = 0; index < 24_000; index += 1) {
    const partition = partitionOf(`0190b5a4-7c3e-7d2a-9b1f-${String(index).padStart(12, '0')}`, 24)
    counts[partition] = (counts[partition] ?? 0) + 1
  }
  t.ok(Math.min(...counts) > 800 && Math.max(...counts) < 1_200, counts.join(' '))
})
