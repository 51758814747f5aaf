import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { encodeCall, encodeClaim, type Invocation } from '@posthaste/core'
import t, { type Test } from 'tap'
import { Environment, InvocationView } from '../src/index.js'
import { applyNext, PER_BATCH } from './shared-log.js'
import { answered, callOf, FAILED, Feeder, MINUTE_MS, NOW_MS, onCalls, onJournal, openView } from './view-harness.js'

const script = fileURLToPath(new URL('projecting-process.js', import.meta.url))

function project(directory: string): ChildProcessByStdio<Writable, Readable, null> {
  return spawn(process.execPath, [script, directory], { stdio: ['pipe', 'pipe', 'inherit'] })
}

/** Everything that a view can be asked for. */
function contentOf(view: InvocationView) {
  const items: Invocation[] = []
  let cursor: string | undefined
  do {
    const page: ReturnType<InvocationView['list']> = view.list({ limit: 500, ...(cursor !== undefined && { cursor }) })
    items.push(...page.items)
    cursor = page.next
  } while (cursor !== undefined)
  const bodies = items.map(({ id }) => [view.response(id)?.body.toString(), view.deadLetter(id), view.waiting(id)])
  return { items, bodies, counts: view.counts(), positions: [view.position('calls'), view.position('journal')] }
}

function idsIn(view: InvocationView, query: { target?: string } = {}): string[] {
  return view
    .list({ limit: 500, ...query })
    .items.map(({ id }) => id)
    .sort()
}

/** What the first batches of the log come to, applied by nobody else. */
async function expectedAfter(t: Test, batches: number) {
  const { view } = openView(t)
  while ((await applyNext(view)).at < batches - 1);
  return contentOf(view)
}

t.test('what was applied is there when the file is opened again', async (t) => {
  const { close, directory, view } = openView(t)
  for (let batch = 0; batch < 3; batch += 1) await applyNext(view)
  const before = contentOf(view)
  t.equal(before.items.length, 3 * PER_BATCH)
  await close()
  const environment = new Environment({ directory, file: 'view.lmdb', reserveBytes: 0 })
  t.teardown(() => environment.close())
  t.strictSame(contentOf(new InvocationView({ environment, retention: { ageMs: 0, bytes: 0, claimAgeMs: 0 } })), before)
})

t.test('a process that is killed while it applies leaves whole batches', async (t) => {
  const { directory, view } = openView(t)
  for (let kill = 1; kill <= 5; kill += 1) {
    const killed = project(directory)
    let seen = 0
    for await (const _ of createInterface({ input: killed.stdout })) {
      seen += 1
      if (seen === 7 * kill) killed.kill('SIGKILL')
    }
    if (killed.signalCode === null) await once(killed, 'exit')
    const { items, positions } = contentOf(view)
    t.equal(positions[0], positions[1])
    t.equal(items.length, Number(positions[0]) * PER_BATCH, 'as many as its position says')
  }
  t.strictSame(contentOf(view), await expectedAfter(t, Number(view.position('calls'))))
})

t.test('processes that apply to one file do each batch once', async (t) => {
  const { directory, view } = openView(t)
  const said: string[] = []
  const children = [1, 2].map(() => project(directory))
  const ended = children.map(async (child) => {
    for await (const line of createInterface({ input: child.stdout })) said.push(line)
    if (child.exitCode === null) await once(child, 'exit')
    return child.exitCode
  })
  const isCrowded = () => said.length >= 50 && said.some((line) => line.startsWith('behind'))
  while (!isCrowded()) {
    const { applied, at } = await applyNext(view)
    said.push(`${applied} ${at}`)
    // What the others say is heard in between.
    await new Promise(setImmediate)
  }
  for (const child of children) child.stdin.end()
  t.strictSame(await Promise.all(ended), [0, 0])
  const applied = said.filter((line) => line.startsWith('applied'))
  t.equal(new Set(applied).size, applied.length, 'none twice')
  t.strictSame(contentOf(view), await expectedAfter(t, Number(view.position('calls'))))
})

t.test('a view that is cleared is built again', async (t) => {
  const { view } = openView(t)
  for (let batch = 0; batch < 5; batch += 1) await applyNext(view)
  const before = contentOf(view)
  await new Feeder(view).apply({
    claims: [{ key: 'k', value: encodeClaim({ id: 'a', payload: '', record: new Uint8Array(0) }) }],
  })
  await view.clear()
  const { counts, items, positions } = contentOf(view)
  t.strictSame(
    [items, positions, view.position('claims'), view.claim('k')],
    [[], [undefined, undefined], undefined, undefined],
  )
  t.strictSame([counts.accepted, counts.ended, ...Object.values(counts.byState)], Array(10).fill(0))
  t.equal(await view.applyRetention(NOW_MS * 2), 0, 'nothing is remembered of what was there')
  for (let batch = 0; batch < 5; batch += 1) await applyNext(view)
  t.strictSame(contentOf(view), before)
})

async function retainAll(view: InvocationView, nowMs: number): Promise<number> {
  let removed = 0
  for (let portion = -1; portion !== 0; removed += portion) portion = await view.applyRetention(nowMs)
  return removed
}

t.test('what ended is kept for its age, what goes on for ever', async (t) => {
  const { view } = openView(t, { ageMs: 60 * MINUTE_MS })
  const feeder = new Feeder(view)
  const ends = (ids: readonly string[], atMs: number) =>
    ids.map((id) =>
      onJournal(callOf(id), { state: 'failed', atMs, failure: FAILED, record: encodeCall(callOf(id)) }, answered(500)),
    )
  const old = Array.from({ length: 3_000 }, (_, index) => `old:${index}`)
  await feeder.apply({ calls: old.map((id) => onCalls(callOf(id))), journal: ends(old, NOW_MS) })
  await feeder.apply({ calls: [onCalls(callOf('waiting')), onCalls(callOf('later')), onCalls(callOf('again'))] })
  await feeder.apply({ journal: [...ends(['again'], NOW_MS), ...ends(['later'], NOW_MS + 2 * MINUTE_MS)] })
  await feeder.apply({ calls: [onCalls(callOf('again', { generation: 2 }))] })
  t.equal(await view.applyRetention(NOW_MS + 60 * MINUTE_MS), 0, 'none is old enough')

  const first = await view.applyRetention(NOW_MS + 61 * MINUTE_MS)
  t.ok(first > 0 && first <= 1_000, `a portion of ${first}`)
  t.equal(first + (await retainAll(view, NOW_MS + 61 * MINUTE_MS)), old.length)
  t.strictSame(
    view
      .list({ limit: 9 })
      .items.map(({ id }) => id)
      .sort(),
    ['again', 'later', 'waiting'],
  )
  t.strictSame(view.list({ limit: 9, target: callOf('a').target }).items.length, 3)
  t.match(view.counts(), { accepted: 3_003, byState: { queued: 2, failed: 1 } })
  for (const id of ['old:0', 'old:2999']) t.strictSame([view.get(id), view.response(id), view.deadLetter(id)], Array(3))

  const again = onJournal(callOf('again', { generation: 2 }), { state: 'succeeded', atMs: NOW_MS + 90 * MINUTE_MS })
  await feeder.apply({ journal: [again] })
  t.equal(await retainAll(view, NOW_MS + 63 * MINUTE_MS), 1)
  t.ok(view.get('again'), 'its last end counts')
  t.equal(await retainAll(view, NOW_MS + 1e9), 1)
  t.strictSame(
    view.list({ limit: 9 }).items.map(({ id }) => id),
    ['waiting'],
  )
})

t.test('what ended twice in one minute is removed, and counted, once', async (t) => {
  const { view } = openView(t, { ageMs: 0 })
  const feeder = new Feeder(view)
  const end = (generation: number) =>
    onJournal(callOf('a', { generation }), { state: 'failed', failure: FAILED, record: encodeCall(callOf('a')) })
  await feeder.apply({ journal: [end(1)] })
  await feeder.apply({ calls: [onCalls(callOf('a', { generation: 2 }))] })
  await feeder.apply({ journal: [end(2)] })
  t.match(view.counts(), { accepted: 1, ended: 2, byState: { failed: 1 } })
  t.equal(await view.applyRetention(NOW_MS + MINUTE_MS), 1)
  t.strictSame(Object.values(view.counts().byState), Array(8).fill(0))
  t.equal(await view.applyRetention(NOW_MS + MINUTE_MS), 0)
})

t.test('where a part of the journal was missed, what may have come further since is forgotten', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const missedUntilMs = NOW_MS + MINUTE_MS
  const many = Array.from({ length: 1_200 }, (_, index) => `queued:${index}`)
  const laterDue = { state: 'retrying' as const, failure: FAILED, nextAttemptAtMs: missedUntilMs + 1 }
  await feeder.apply({
    calls: [
      ...many.map((id) => onCalls(callOf(id))),
      onCalls(callOf('due-meanwhile', { notBeforeMs: missedUntilMs })),
      onCalls(callOf('due-later', { notBeforeMs: missedUntilMs + 1 })),
      onCalls(callOf('queued-later'), missedUntilMs + 1),
    ],
    journal: [
      onJournal(callOf('running'), { state: 'running' }),
      onJournal(callOf('tried-again-later'), laterDue, answered(500)),
      onJournal(callOf('ended'), { state: 'failed', failure: FAILED, record: encodeCall(callOf('ended')) }),
    ],
    claims: [{ key: 'k', value: encodeClaim({ id: 'running', payload: '', record: new Uint8Array(0) }) }],
  })
  const from = view.position('journal')
  const end = { partition: 0, offset: 1, appendedAtMs: NOW_MS, ...onJournal(callOf('fresh'), { state: 'succeeded' }) }
  t.equal(await view.apply([{ log: 'journal', from: 'elsewhere', to: 'x', records: [end], missedUntilMs }]), 'behind')
  t.equal(view.counts().byState.queued, 1_201, 'another saw to it')
  t.equal(await view.apply([{ log: 'journal', from, to: 'behind the gap', records: [end], missedUntilMs }]), 'applied')
  const kept = ['due-later', 'queued-later', 'tried-again-later', 'ended', 'fresh'].sort()
  t.strictSame(idsIn(view), kept)
  t.strictSame(idsIn(view, { target: callOf('').target }), kept, 'in every index')
  t.match(view.counts(), {
    byState: { scheduled: 1, queued: 1, running: 0, retrying: 1, failed: 1, succeeded: 1 },
    ...{ queuedSinceMs: missedUntilMs + 1, nextDueAtMs: missedUntilMs + 1 },
  })
  t.strictSame(
    [view.position('calls'), view.position('journal')],
    [undefined, 'behind the gap'],
    'calls are read again',
  )
  t.equal(view.claim('k')?.isForgotten, true, 'it was there')
  await feeder.apply({ calls: [onCalls(callOf('queued:7'))] })
  t.match([view.get('queued:7')?.state, view.waiting('queued:7')?.generation], ['queued', 1])
})

t.test('a view that another version wrote in another form is emptied', async (t) => {
  const { close, directory, view } = openView(t)
  await view.prepare()
  await applyNext(view)
  await view.prepare()
  t.equal(view.list({ limit: 500 }).items.length, PER_BATCH, 'its own is kept')
  await close()

  const environment = new Environment({ directory, file: 'view.lmdb', reserveBytes: 0 })
  t.teardown(() => environment.close())
  const meta = environment.table<string>('meta')
  await environment.commit(() => meta.putSync('form', Buffer.from('of another version')))
  const again = new InvocationView({ environment, retention: { ageMs: 1e12, bytes: 1e15, claimAgeMs: 1e12 } })
  await again.prepare()
  t.strictSame([again.list({ limit: 500 }).items, again.position('calls')], [[], undefined])
  await applyNext(again)
  await again.prepare()
  t.equal(again.list({ limit: 500 }).items.length, PER_BATCH)
})

t.test('beyond its size what ended first goes, but what is fresh', async (t) => {
  const { view } = openView(t, { bytes: 2 * 1024 * 1024 })
  const feeder = new Feeder(view)
  const fill = async (minute: number) => {
    const ids = Array.from({ length: 500 }, (_, index) => `m${minute}:${index}`)
    const journal = ids.map((id) =>
      onJournal(callOf(id), { state: 'succeeded', atMs: NOW_MS + minute * MINUTE_MS }, answered(200, 'x'.repeat(500))),
    )
    await feeder.apply({ journal })
  }
  for (let minute = 0; minute < 10; minute += 1) await fill(minute)
  await feeder.apply({ calls: [onCalls(callOf('waiting', { acceptedAtMs: NOW_MS - 1e6 }))] })
  const nowMs = NOW_MS + 9 * MINUTE_MS
  const removed = await retainAll(view, nowMs)
  t.ok(removed > 0 && removed < 4_500, `${removed} are removed`)
  const kept = [...new Set(view.list({ limit: 5_000 }).items.map(({ id }) => id.split(':')[0]))]
  t.ok(kept.includes('m9') && kept.includes('waiting'))
  t.notOk(kept.includes('m0'))

  const { view: tiny } = openView(t, { bytes: 1 })
  const call = (id: string) => onJournal(callOf(id), { state: 'succeeded', atMs: NOW_MS })
  await new Feeder(tiny).apply({ journal: [call('a'), call('b')] })
  t.equal(await tiny.applyRetention(NOW_MS + MINUTE_MS), 0, 'another log may still speak of it')
  t.equal(await tiny.applyRetention(NOW_MS + 2 * MINUTE_MS), 2)
})

t.test('what is removed makes room for what comes', async (t) => {
  const { directory, view } = openView(t, { ageMs: 0 })
  const feeder = new Feeder(view)
  const sizes: number[] = []
  for (let round = 0; round < 40; round += 1) {
    const ids = Array.from({ length: 500 }, (_, index) => `${round}:${index}`)
    const what = { state: 'failed' as const, failure: FAILED, record: encodeCall(callOf('a')) }
    await feeder.apply({ journal: ids.map((id) => onJournal(callOf(id), what, answered(500))) })
    await retainAll(view, NOW_MS + MINUTE_MS)
    sizes.push(statSync(join(directory, 'view.lmdb')).size)
  }
  t.equal(view.counts().accepted, 40 * 500)
  t.strictSame(new Set(sizes.slice(20)), new Set([sizes.at(-1)]), 'the file has stopped growing')
})

t.test('a disk without room', async (t) => {
  const { close, directory } = openView(t)
  await close()
  const environment = new Environment({ directory, file: 'view.lmdb', reserveBytes: Number.MAX_SAFE_INTEGER })
  t.teardown(() => environment.close())
  const retention = { ageMs: 1e12, bytes: 1e15, claimAgeMs: 1e12 }
  const view = new InvocationView({ environment, retention })
  await t.rejects(applyNext(view), { code: 'stream-full' })
  t.equal(view.position('calls'), undefined)
})
