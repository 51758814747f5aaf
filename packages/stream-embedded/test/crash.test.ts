import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Environment } from '@posthaste/storage'
import type { StoredRecord } from '@posthaste/stream'
import t, { type Test } from 'tap'
import { EmbeddedStream } from '../src/embedded-stream.js'
import { makeDirectory, optionsFor } from './embedded-harness.js'
import { Member } from './member.js'
import { entryOf } from './record-entry.js'

const RUN_MS_MAX = 250

t.test('one process appends and completes, and is killed again and again', async (t) => {
  const random = randomOf(t)
  const members: Member[] = []
  const directory = makeDirectory()
  for (let round = 0; round < 8; round += 1) {
    const member = new Member(directory, `round-${round}`, 'append', 'consume')
    members.push(member)
    await member.heard(random() < 0.5 ? 'append' : 'complete')
    await sleep(random() * RUN_MS_MAX)
    await member.kill()
  }
  await checkWhatIsLeft(t, directory, members)
})

t.test('two processes append and one consumes, and all are killed at different times', async (t) => {
  const random = randomOf(t)
  const members: Member[] = []
  const directory = makeDirectory()
  for (let round = 0; round < 3; round += 1) {
    const running = [
      new Member(directory, `a${round}`, 'append'),
      new Member(directory, `b${round}`, 'append'),
      new Member(directory, `c${round}`, 'consume'),
    ] as const
    members.push(...running)
    await Promise.all([running[0].heard('append'), running[1].heard('append'), running[2].heard('complete')])
    await Promise.all(
      running.map(async (member) => {
        await sleep(random() * RUN_MS_MAX)
        await member.kill()
      }),
    )
  }
  await checkWhatIsLeft(t, directory, members)
})

async function checkWhatIsLeft(t: Test, directory: string, members: readonly Member[]): Promise<void> {
  const environment = new Environment({ directory, reserveBytes: 0 })
  const stream = new EmbeddedStream(optionsFor(environment))
  await stream.start()

  const before = new Set((await readAll(stream)).map(({ key }) => key))
  const completed = members.flatMap((member) => member.completed)
  t.ok(completed.length > 100, `${completed.length} completions were seen to resolve`)
  t.strictSame(
    completed.filter((key) => !before.has(key)),
    [],
    'each has its journal entry',
  )

  await completeTheRest(stream)
  const journal = await readAll(stream)
  const keys = new Set(journal.map(({ key }) => key))
  const appended = members.flatMap((member) => member.appended)
  t.ok(appended.length > 100, `${appended.length} appends were seen to resolve, ${journal.length} records were there`)
  t.strictSame(
    appended.filter((key) => !keys.has(key)),
    [],
    'each of them was delivered and completed',
  )
  t.equal(keys.size, journal.length, 'no record was completed twice')
  const offsets = journal.map(({ value }) => Number(Buffer.from(value).toString())).sort((a, b) => a - b)
  t.ok(
    offsets.every((offset, index) => offset === index),
    'no offset is missing: none was completed without its journal entry',
  )
  await stream.stop()
  await environment.close()
  rmSync(directory, { recursive: true })
}

async function completeTheRest(stream: EmbeddedStream): Promise<void> {
  const consumer = await stream.consume('group')
  for (;;) {
    const deliveries = await consumer.pull({ recordsMax: 1_000, bytesMax: 1e9, waitMs: 0 })
    if (deliveries.length === 0) return
    await Promise.all(deliveries.map((delivery) => delivery.complete(entryOf(delivery))))
  }
}

async function readAll(stream: EmbeddedStream): Promise<StoredRecord[]> {
  const all: StoredRecord[] = []
  for await (const { records } of stream.follow('journal', 'start', { untilEnd: true })) all.push(...records)
  return all
}

/** The same numbers for the same seed, as far as the machine's timing allows a crash to be repeated. */
function randomOf(t: Test): () => number {
  let state = Date.now() % 2 ** 31
  t.comment(`seed ${state}`)
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state / 2 ** 31
  }
}
