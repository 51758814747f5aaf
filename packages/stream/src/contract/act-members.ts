import type { Consumer, Delivery } from '../consumer.js'
import type { ContractTest } from './contract-test.js'
import type { StreamHarness } from './harness.js'
import { about, BYTES_MAX, GROUP, record, Setting, textsOf, turnOf } from './setting.js'

const KEYS = Array.from({ length: 20 }, (_, index) => `key-${index}`)

export function actMembersContract(t: ContractTest, harness: StreamHarness): void {
  t.test('one member acts for a turn, and the other is told that it cannot', async (t) => {
    const setting = await Setting.make(t, harness)
    const streams = [await setting.start(), await setting.start()] as const
    const { members: sharing, owners } = streams[0].supports
    const members = await Promise.all(streams.map((stream) => stream.consume(GROUP)))
    const workers = members.map((member) => new Worker(member, setting.waitMsMax))
    // Who owns what takes a while to settle; meanwhile nobody may.
    let answers: string[][] = []
    const done: string[] = []
    await setting.until('each key has one who acts for it', async () => {
      answers = await Promise.all(KEYS.map((key) => actAtOnce(members, key, done)))
      const acting = new Set(answers.map((pair) => pair.indexOf('done')))
      return !acting.has(-1) && (sharing === 'stand-by' || !owners || acting.size === members.length)
    })
    for (const pair of answers) {
      const [winner, loser] = pair[0] === 'done' ? pair : pair.toReversed()
      t.equal(winner, 'done')
      // Without owners whoever comes second is told what the first one wrote.
      t.equal(loser, owners ? 'elsewhere' : `${pair.indexOf('done')} acted`)
    }
    if (owners && sharing === 'stand-by') t.equal(new Set(answers.map((pair) => pair.join())).size, 1, 'for all keys')

    await workers[0]?.stop()
    await members[0]?.stop()
    await setting.until('the other acts for all', async () => {
      answers = await Promise.all(KEYS.map((key) => actAtOnce(members, key, done)))
      return answers.every(([, other]) => other === 'done')
    })
    t.ok(
      answers.every(([stopped]) => stopped === 'elsewhere'),
      'and who has stopped, for none',
    )
    const told = textsOf(await setting.read('journal')).filter((text) => text.endsWith('acted'))
    t.equal(told.length, done.length, 'what is not done is not written')
    await workers[1]?.stop()
  })

  t.test('of an act and a completion of one turn, one counts', async (t) => {
    const setting = await Setting.make(t, harness)
    const stream = await setting.start()
    const first = await stream.consume(GROUP)
    const second = await (await setting.start()).consume(GROUP)
    if (stream.supports.owners && stream.supports.members === 'share') await settle(setting, [first, second])
    for (const isCompletedFirst of [true, false]) {
      const turn = turnOf(record('one-key'))
      await stream.append('calls', [about(turn, 'a')])
      const { delivery, other } = await pullByEither(setting, [first, second])
      t.equal(await delivery.begin(turn), 'fresh')
      const act = async (): Promise<string> => {
        const effects = { journal: [about(turn, 'acted')], control: [record('one-key', 'acted')] }
        return Buffer.from(await other.act(turn, effects)).toString()
      }
      const complete = (): Promise<string> =>
        delivery.complete({ journal: [about(turn, 'completed')], control: [record('one-key', 'completed')] })
      const before = (await setting.read('journal')).length
      const answers = isCompletedFirst ? [await complete(), await act()] : [await act(), await complete()]
      const [completed, acted] = isCompletedFirst ? answers : answers.toReversed()
      const { owners } = stream.supports
      const isCompleted = owners || isCompletedFirst
      t.equal(completed, isCompleted ? 'done' : 'lost')
      t.equal(acted, owners ? 'elsewhere' : isCompleted ? 'completed' : 'done')
      const wanted = isCompleted ? 'completed' : 'acted'
      t.strictSame(textsOf(await setting.read('journal')).slice(before), [wanted])
      t.equal(textsOf(await setting.read('control')).at(-1), wanted)
    }
  })
}

/** What each member answers that acts for the same turn at the same time; `done` gets what they wrote. */
async function actAtOnce(members: readonly Consumer[], key: string, done: string[]): Promise<string[]> {
  const turn = turnOf(record(key))
  return Promise.all(
    members.map(async (member, index) => {
      const text = `${index} acted`
      const answer = Buffer.from(await member.act(turn, { journal: [about(turn, text)] })).toString()
      if (answer === 'done') done.push(text)
      return answer
    }),
  )
}

/** Has a member take part in the group's work, of which there is none. */
class Worker {
  readonly #abort = new AbortController()
  readonly #working: Promise<void>

  constructor(member: Consumer, waitMs: number) {
    this.#working = this.#work(member, waitMs)
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.#working
  }

  async #work(member: Consumer, waitMs: number): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      const pulled = await member.pull({ recordsMax: 10, bytesMax: BYTES_MAX, waitMs, signal })
      await Promise.all(pulled.map((delivery) => delivery.complete()))
    }
  }
}

/** Resolves once each member owns something. */
async function settle(setting: Setting, members: readonly Consumer[]): Promise<void> {
  const workers = members.map((member) => new Worker(member, setting.waitMsMax))
  await setting.until('each member owns something', async () => {
    const progress = await Promise.all(members.map((member) => member.progress()))
    return progress.every((partitions) => partitions.some(({ owner }) => owner === 'this'))
  })
  await Promise.all(workers.map((worker) => worker.stop()))
}

/** Resolves with what one of two members gets, and with the other one. */
async function pullByEither(
  setting: Setting,
  members: readonly [Consumer, Consumer],
): Promise<{ delivery: Delivery; other: Consumer }> {
  const abort = new AbortController()
  const pulling = members.map(async (member, index) => {
    const options = { recordsMax: 1, bytesMax: BYTES_MAX, waitMs: setting.waitMsMax, signal: abort.signal }
    const [delivery] = await member.pull(options)
    if (!delivery) throw new Error(`${index} got nothing`)
    return { delivery, other: members[1 - index] as Consumer }
  })
  try {
    return await Promise.any(pulling)
  } finally {
    abort.abort()
    await Promise.allSettled(pulling)
  }
}
