import type { LookupAddress } from 'node:dns'
import t from 'tap'
import { type Lookup, NameLookups } from '../src/name-lookups.js'
import { runOne, startListener, startTarget, submit, until } from './setting.js'

const OPTIONS = { all: true } as const
const HERE: LookupAddress[] = [{ address: '127.0.0.1', family: 4 }]

/** Names but `known` are answered when they are told to be. */
class SlowNames {
  readonly running: (() => void)[] = []
  runningMax = 0

  readonly lookup: Lookup = (hostname, _, callback) => {
    if (hostname === 'known') {
      setImmediate(() => callback(null, HERE))
      return
    }
    this.running.push(() => callback(null, HERE))
    this.runningMax = Math.max(this.runningMax, this.running.length)
  }

  answer(): void {
    this.running.shift()?.()
  }
}

t.test('names that were found before have no turn to wait for', async (t) => {
  const slow = new SlowNames()
  const { lookup } = new NameLookups(slow.lookup)
  t.same(await found(lookup, 'known'), HERE)
  const made = Array.from({ length: 20 }, (_, index) => found(lookup, `slow-${index}`))
  t.equal(slow.running.length, 2)
  t.same(await found(lookup, 'known'), HERE)
  const other = found(lookup, 'other')
  t.equal(slow.running.length, 2, 'what was not found before has its turn behind them')
  while (slow.running.length > 0) slow.answer()
  for (const one of [...made, other]) t.same(await one, HERE)
  t.equal(slow.runningMax, 2)
})

t.test('while names are slow, those that were not found before leave a thread to others', async (t) => {
  const slow = new SlowNames()
  let nowMs = 0
  const { lookup } = new NameLookups(slow.lookup, () => nowMs)
  t.same(await found(lookup, 'known'), HERE)
  const all = Array.from({ length: 5 }, (_, index) => found(lookup, `slow-${index}`))
  t.equal(slow.running.length, 2)
  nowMs = 2_000
  slow.answer()
  t.equal(slow.running.length, 1, 'one still runs, and is slow')
  slow.answer()
  t.equal(slow.running.length, 1, 'and the next is expected to be')
  t.same(await found(lookup, 'known'), HERE)
  while (slow.running.length > 0) {
    slow.answer()
    t.ok(slow.running.length <= 1)
  }
  for (const one of all) t.same(await one, HERE)
  nowMs = 63_000
  for (const name of ['other-1', 'other-2', 'other-3']) lookup(name, OPTIONS, () => {})
  t.equal(slow.running.length, 2, 'after a while that is over')
})

t.test('whose turn comes too late is told so, and is not looked up', async (t) => {
  const slow = new SlowNames()
  let nowMs = 0
  const { lookup } = new NameLookups(slow.lookup, () => nowMs)
  const [first, second, third] = ['slow-1', 'slow-2', 'slow-3'].map((name) => found(lookup, name))
  nowMs = 11_000
  slow.answer()
  slow.answer()
  await Promise.all([first, second])
  await t.rejects(third as Promise<unknown>, { code: 'EAI_AGAIN' })
  t.equal(slow.running.length, 0)
})

t.test('a name is looked up once for all who ask for it at a time', async (t) => {
  const slow = new SlowNames()
  const { lookup } = new NameLookups(slow.lookup)
  const asked = [found(lookup, 'slow'), found(lookup, 'slow'), found(lookup, 'slow')]
  t.strictSame(slow.running.length, 1)
  slow.answer()
  for (const one of asked) t.same(await one, HERE)
  void found(lookup, 'slow')
  t.equal(slow.running.length, 1, 'and again for the next')
})

t.test('a failure is told, and the name counts as not found', async (t) => {
  let isThere = true
  let running = 0
  const { lookup } = new NameLookups((hostname, _, callback) => {
    running += 1
    if (hostname !== 'known') return
    running -= 1
    if (isThere) callback(null, HERE)
    else callback(Object.assign(new Error('gone'), { code: 'ENOTFOUND' }), [])
  })
  t.same(await found(lookup, 'known'), HERE)
  isThere = false
  await t.rejects(found(lookup, 'known'), { code: 'ENOTFOUND' })
  for (const name of ['slow-1', 'slow-2', 'known']) lookup(name, OPTIONS, () => {})
  t.equal(running, 2)
})

t.test('calls of targets that are known go on while others have names that nobody answers for', async (t) => {
  const target = await startTarget(t, (_, response) => response.writeHead(200, { connection: 'close' }).end())
  const slow = new SlowNames()
  const running = await startListener(t, { lookup: slow.lookup })
  const known = { target: `http://known:${new URL(target.url).port}/` }
  t.equal((await runOne(running, known)).state, 'succeeded')
  await submit(
    running.stream,
    Array.from({ length: 20 }, (_, index) => ({ target: `http://slow-${index}.example/` })),
  )
  await until(() => slow.running.length === 2)
  t.equal((await runOne(running, known)).state, 'succeeded')
  t.equal(slow.runningMax, 2)
})

function found(lookup: Lookup, hostname: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, OPTIONS, (error, addresses) => (error ? reject(error) : resolve(addresses)))
  })
}
