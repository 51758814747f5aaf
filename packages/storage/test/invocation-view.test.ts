import {
  createId,
  type Directive,
  decodeCall,
  encodeCall,
  encodeClaim,
  encodeDirective,
  encodeJournalEntry,
  type Invocation,
} from '@posthaste/core'
import t from 'tap'
import type { InvocationView } from '../src/index.js'
import { answered, callOf, FAILED, Feeder, NOW_MS, onCalls, onControl, onJournal, openView } from './view-harness.js'

const none = new Uint8Array(0)
const at = { log: 'calls', partition: 0, offset: 0, appendedAtMs: NOW_MS }

const stateOf = (view: InvocationView, id: string) => {
  const { attempt: _, ...shown } = { attempt: 0, ...view.get(id) }
  return [shown.state, shown.generation, shown.nextAttemptAtMs && shown.nextAttemptAtMs - NOW_MS]
}
const directiveFor = (id: string, changes: Partial<Directive>): Directive => ({
  ...{ id, generation: 1, attempt: 1, kind: 'cancel', number: 7, isDone: false },
  ...{ askedAtMs: NOW_MS, untilMs: NOW_MS + 1e9, record: none, ...changes },
})

t.test('an invocation from its call to its end', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const id = createId(NOW_MS)
  const call = callOf(id, {
    ...{ correlationId: 'order-42', parent: 'order-41', timeoutMs: 1_000, retry: { maxAttempts: 3 } },
    ...{ headers: { 'x-a': '1', authorization: 'Bearer s3' }, forwardTo: 'https://b.example/?key=s3' },
  })
  t.equal(view.get(id), undefined)
  await feeder.apply({ calls: [onCalls(call)] })
  const queued: Invocation = {
    ...{ id, state: 'queued', generation: 1, createdAtMs: NOW_MS, attempts: [] },
    ...{ target: 'https://a.example/b', method: 'POST', correlationId: 'order-42', parent: 'order-41' },
    instruction: {
      headers: { 'x-a': '1', authorization: '***' },
      bodyBytes: call.body.length,
      forwardTo: 'https://b.example/?key=***',
      timeoutMs: 1_000,
      retry: { maxAttempts: 3 },
    },
  }
  t.match(view.get(id), queued)
  t.equal(view.response(id), undefined)

  const forward = { id: 'the-forward' }
  const destination = { refused: 'depth-exceeded' } as const
  await feeder.apply({
    journal: [onJournal(call, { state: 'succeeded', listener: 'http://l' }, answered(200), { forward, destination })],
  })
  const attempt = {
    generation: 1,
    attempt: 1,
    startedAtMs: NOW_MS + 5,
    durationMs: 3.5,
    status: 200,
    listener: 'http://l',
  }
  const headers = { 'content-type': 'text/plain' }
  t.match(view.get(id), {
    ...{ ...queued, state: 'succeeded', endedAtMs: NOW_MS + 9, attempts: [attempt], forward, destination },
    response: { status: 200, headers, bodyBytes: 5, isKept: true },
  })
  t.match(view.response(id), { status: 200, headers, bodyBytes: 5, body: Buffer.from('hello') })
  t.equal(view.waiting(id), undefined)
  t.equal(view.deadLetter(id), undefined)
})

t.test('the log of calls and the journal may be read in any order', async (t) => {
  const call = callOf('a')
  const end = onJournal(call, { state: 'failed', failure: FAILED, record: encodeCall(call) }, answered(500))
  const shown = []
  for (const batches of [
    [{ calls: [onCalls(call)] }, { journal: [end] }],
    [{ journal: [end] }, { calls: [onCalls(call)] }],
    [{ journal: [end], calls: [onCalls(call)] }],
    [{ journal: [end, end] }, { calls: [onCalls(call), onCalls(call)], journal: [end] }],
  ]) {
    const { view } = openView(t)
    const feeder = new Feeder(view)
    for (const batch of batches) await feeder.apply(batch)
    shown.push([view.get('a'), view.response('a'), view.deadLetter('a'), view.counts(), view.list({ limit: 9 })])
  }
  t.match(shown[0]?.[0], { state: 'failed', failure: FAILED, instruction: { bodyBytes: call.body.length } })
  for (const other of shown.slice(1)) t.strictSame(other, shown[0])
})

t.test('from the journal alone', async (t) => {
  const { view } = openView(t)
  const call = callOf('a', { correlationId: 'c', parent: 'p' })
  await new Feeder(view).apply({ journal: [onJournal(call, { state: 'succeeded' }, answered(204, ''))] })
  const shown = view.get('a')
  t.match(shown, { state: 'succeeded', target: call.target, method: 'POST', correlationId: 'c', parent: 'p' })
  t.equal(shown?.instruction, undefined)
  t.match(shown?.response, { status: 204, bodyBytes: 0, isKept: true })
})

t.test('attempts, and the last response of them', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const call = callOf('a')
  const retry = (attempt: number) => callOf('a', { attempt, notBeforeMs: NOW_MS + 100 * attempt })
  const next = (attempt: number) => ({
    state: 'retrying' as const,
    failure: FAILED,
    nextAttemptAtMs: NOW_MS + 100 * attempt,
  })
  await feeder.apply({ calls: [onCalls(call)] })
  await feeder.apply({ journal: [onJournal(call, next(2), answered(500, 'first'))] })
  t.strictSame(stateOf(view, 'a'), ['retrying', 1, 200])
  t.match(view.get('a'), { failure: FAILED, response: { status: 500, bodyBytes: 5 } })
  await feeder.apply({ calls: [onCalls(retry(2), NOW_MS + 200)] })
  t.strictSame(stateOf(view, 'a'), ['queued', 1, undefined])

  const timeout = { code: 'timeout' as const, detail: 'no answer' }
  const unanswered = { kind: 'unanswered' as const, startedAtMs: NOW_MS + 200, durationMs: 9, ...timeout }
  await feeder.apply({ journal: [onJournal(retry(2), { ...next(3), failure: timeout }, unanswered)] })
  t.match(view.get('a')?.attempts, [{ status: 500 }, { attempt: 2, durationMs: 9, failure: timeout }])
  t.match(view.get('a'), { failure: timeout, response: { status: 500 } }, 'the last response is that of the first')
  t.equal(view.response('a')?.body.toString(), 'first')

  await feeder.apply({ journal: [onJournal(retry(3), { state: 'succeeded' }, answered(204, ''))] })
  const { attempts, failure, response } = view.get('a') ?? {}
  t.strictSame(
    attempts?.map(({ attempt, status }) => [attempt, status]),
    [
      [1, 500],
      [2, undefined],
      [3, 204],
    ],
  )
  t.equal(failure, undefined)
  t.match(response, { status: 204, bodyBytes: 0, isKept: true })
  t.equal(view.response('a')?.body.length, 0, 'the body of another response is gone')
})

t.test('of very many attempts the newest are kept', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const journal = Array.from({ length: 250 }, (_, index) =>
    onJournal(callOf('a', { attempt: index + 1 }), { state: 'retrying', failure: FAILED }, answered(500)),
  )
  for (let first = 0; first < 250; first += 60) await feeder.apply({ journal: journal.slice(first, first + 60) })
  const before = view.get('a')
  t.strictSame(
    before?.attempts.map(({ attempt }) => attempt),
    Array.from({ length: 200 }, (_, index) => index + 51),
  )
  await feeder.apply({ journal })
  t.strictSame(view.get('a'), before, 'also after they were told again')
})

t.test('a response whose body is not kept', async (t) => {
  const { view } = openView(t)
  const outcome = answered(200, '')
  const large = { ...outcome, response: { ...('response' in outcome && outcome.response), bodyBytes: 1e9 } }
  await new Feeder(view).apply({ journal: [onJournal(callOf('a'), { state: 'succeeded' }, large as typeof outcome)] })
  t.match(view.get('a')?.response, { bodyBytes: 1e9, isKept: false })
  t.match(view.response('a'), { bodyBytes: 1e9, body: { length: 0 } })
})

t.test('what is put off: the notes, the times, and what a directive can be about', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const call = callOf('a', { notBeforeMs: NOW_MS + 1_000, retry: { maxAttempts: 2 } })
  await feeder.apply({ calls: [onCalls(call)] })
  t.strictSame(stateOf(view, 'a'), ['scheduled', 1, 1_000])
  t.strictSame(view.counts().nextDueAtMs, NOW_MS + 1_000)
  const waiting = view.waiting('a')
  t.match(waiting, { generation: 1, attempt: 1, dueMs: NOW_MS + 1_000 })
  t.strictSame(decodeCall(waiting?.record ?? none, at).call, decodeCall(encodeCall(call), at).call)

  const retried = { state: 'retrying' as const, failure: FAILED, nextAttemptAtMs: NOW_MS + 5_000 }
  await feeder.apply({ journal: [onJournal(call, { ...retried, sinceMs: NOW_MS + 2_000 }, answered(500))] })
  t.match(view.waiting('a'), { generation: 1, attempt: 2, dueMs: NOW_MS + 5_000 })
  const next = decodeCall(view.waiting('a')?.record ?? none, at).call
  t.match(next, { id: 'a', attempt: 2, notBeforeMs: NOW_MS + 5_000, retry: { maxAttempts: 2 } })
  t.match(next, { answered: 1, sinceMs: NOW_MS + 2_000 }, 'what a retry is told of the attempts before it')
  t.strictSame(Buffer.from(next.body), call.body)

  const running = { state: 'running' as const, atMs: NOW_MS + 6_000 }
  await feeder.apply({ journal: [onJournal(callOf('a', { attempt: 2 }), running)] })
  t.strictSame(stateOf(view, 'a'), ['running', 1, undefined])
  t.strictSame(view.counts().nextDueAtMs, undefined)
  t.match(view.waiting('a'), { generation: 1, attempt: 2, dueMs: undefined })
})

t.test('what is scheduled is known from the note alone', async (t) => {
  const { view } = openView(t)
  const call = callOf('a', { notBeforeMs: NOW_MS + 1_000 })
  const note = { state: 'scheduled' as const, nextAttemptAtMs: NOW_MS + 1_000, record: encodeCall(call) }
  await new Feeder(view).apply({ journal: [onJournal(call, note)] })
  t.match(view.get('a'), { state: 'scheduled', instruction: { notBeforeMs: NOW_MS + 1_000 }, attempts: [] })
  t.strictSame(decodeCall(view.waiting('a')?.record ?? none, at).call.body.toString(), 'body of a')
})

t.test('dead letters keep their record until they are redriven, and the next generation counts', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const call = callOf('a', { acceptedAtMs: NOW_MS - 5 })
  await feeder.apply({ calls: [onCalls(call)] })
  await feeder.apply({
    journal: [onJournal(call, { state: 'failed', failure: FAILED, record: encodeCall(call) }, answered(500, 'no'))],
  })
  t.match(view.deadLetter('a'), { generation: 1, acceptedAtMs: NOW_MS - 5, record: encodeCall(call) })

  const again = callOf('a', { generation: 2, acceptedAtMs: NOW_MS + 50 })
  await feeder.apply({ calls: [onCalls(again)] })
  const redriven = view.get('a')
  t.match(redriven, { state: 'queued', generation: 2, createdAtMs: NOW_MS - 5, response: { status: 500 } })
  t.equal(redriven?.failure, undefined, 'why the generation before failed is history')
  t.match(redriven?.attempts, [{ generation: 1, attempt: 1, failure: FAILED }])
  t.equal(view.deadLetter('a'), undefined)
  t.match(decodeCall(view.waiting('a')?.record ?? none, at).call, { generation: 2, attempt: 1 })

  await feeder.apply({ journal: [onJournal(again, { state: 'succeeded' }, answered(200))] })
  t.match(view.get('a')?.attempts, [{ generation: 1 }, { generation: 2, status: 200 }])
  t.match(view.counts(), { accepted: 1, ended: 2, byState: { succeeded: 1, failed: 0, queued: 0 } })
})

t.test('the first end counts, what comes later is history', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const call = callOf('a')
  const cancelled = { code: 'cancelled' as const, detail: 'asked for' }
  await feeder.apply({
    journal: [onJournal(call, { state: 'cancelled', failure: cancelled, record: encodeCall(call) })],
  })
  const late = onJournal(callOf('a', { attempt: 2 }), { state: 'succeeded', atMs: NOW_MS + 99 }, answered(200))
  await feeder.apply({
    journal: [late, onJournal(call, { state: 'succeeded' }, answered(200))],
    calls: [onCalls(call)],
  })
  t.match(view.get('a'), { state: 'cancelled', failure: cancelled, endedAtMs: NOW_MS + 9, attempts: [{ attempt: 2 }] })
  t.equal(view.deadLetter('a'), undefined)
  t.match(view.counts(), { accepted: 1, ended: 1, byState: { cancelled: 1, succeeded: 0 } })
})

t.test('records of other producers, and such as cannot be read', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const bytes = (document: object) => Buffer.from(JSON.stringify(document, undefined, 2))
  await feeder.apply({
    calls: [
      { key: '', value: bytes({ target: 'https://a.example/c', body: { a: 1 } }), offset: 5 },
      { key: 'of the producer', value: bytes({ id: 'order:7', target: 'https://a.example/d', delay: '10s' }) },
      { key: 'bad', value: bytes({ id: 'bad', target: 'nowhere' }) },
      { key: 'bad', value: Buffer.from('{"v":1,"id":"bad","target":"nowhere","bodyBytes":0}\n') },
      { key: 'newer', value: bytes({ v: 99, id: 'newer', target: 'https://a.example/' }) },
      { key: 'f', value: Buffer.from('{"v":1,"id":"f","function":"resize","path":"/a","bodyBytes":0}\n') },
    ],
  })
  const targets = ['https://a.example/c', 'https://a.example/d', 'function://resize/a']
  const { items } = view.list({ limit: 9 })
  t.strictSame(new Set(items.map(({ target }) => target)), new Set(targets))
  t.match(view.list({ target: 'function://resize', limit: 9 }).items, [{ id: 'f' }])
  t.match(view.get('order:7'), { state: 'scheduled', nextAttemptAtMs: NOW_MS + 10_000, createdAtMs: NOW_MS })
  const derived = items.find(({ id }) => !['order:7', 'f'].includes(id))
  t.match(derived, { state: 'queued', instruction: { bodyBytes: 7, headers: { 'content-type': 'application/json' } } })
  t.match(decodeCall(view.waiting(derived?.id ?? '')?.record ?? none, at).call, { id: derived?.id })

  const unreadable = { code: 'record-unreadable' as const, detail: 'not JSON' }
  const entry = { ...callOf('u'), atMs: NOW_MS, state: 'failed' as const, responseBody: none, record: Buffer.from('{') }
  const { method: _, target: __, ...noTarget } = { ...entry, failure: unreadable }
  await feeder.apply({
    journal: [
      { key: 'u', value: encodeJournalEntry(noTarget) },
      { key: 'x', value: Buffer.from('{') },
    ],
  })
  const shown = view.get('u')
  t.match(shown, { state: 'failed', failure: unreadable, attempts: [] })
  t.strictSame([shown?.target, shown?.method, shown?.instruction], [undefined, undefined, undefined])
  t.strictSame(view.deadLetter('u')?.record, Buffer.from('{'))
  t.equal(view.list({ limit: 9, states: ['failed'] }).items.length, 1)
})

t.test('directives: the one that prevails stands until it is taken away', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const move = directiveFor('a', { kind: 'move', dueMs: NOW_MS + 500 })
  await feeder.apply({ calls: [onCalls(callOf('a', { notBeforeMs: NOW_MS + 900 }))], control: [onControl(move)] })
  t.match(view.directive('a'), { kind: 'move', number: 7, isDone: false })
  t.strictSame(view.get('a')?.directive, { kind: 'move', dueMs: NOW_MS + 500, isDone: false })
  t.strictSame(stateOf(view, 'a'), ['scheduled', 1, 900], 'nothing was done yet')
  t.equal(view.counts().directives, 1)

  await feeder.apply({ control: [onControl({ ...move, isDone: true }), onControl(move)] })
  t.equal(view.directive('a')?.isDone, true, 'what is done stays so')
  t.strictSame(stateOf(view, 'a'), ['scheduled', 1, 500])
  t.match(decodeCall(view.waiting('a')?.record ?? none, at).call, { move: 7, notBeforeMs: NOW_MS + 500 })
  const cancel = directiveFor('a', { number: 6 })
  await feeder.apply({ control: [onControl(cancel), onControl({ ...move, number: 99 })] })
  t.equal(view.directive('a')?.kind, 'cancel')
  await feeder.apply({ control: [{ key: 'a move', value: none }] })
  t.equal(view.directive('a')?.kind, 'cancel', 'only the move was taken away')

  await feeder.apply({ journal: [onJournal(callOf('a'), { state: 'cancelled' })] })
  t.equal(view.get('a')?.directive, undefined, 'it has ended')
  await feeder.apply({
    control: [
      { key: 'a', value: none },
      { key: 'b', value: none },
      { key: 'c', value: Buffer.of(1) },
    ],
  })
  t.equal(view.directive('a'), undefined)
  t.equal(view.counts().directives, 0)
})

t.test('a record that is dropped for a directive brings nothing back', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const moved = directiveFor('a', { kind: 'move', dueMs: NOW_MS, isDone: true })
  await feeder.apply({ control: [onControl(moved), onControl(directiveFor('b', { isDone: true }))] })
  await feeder.apply({ calls: [onCalls(callOf('a')), onCalls(callOf('b'))] })
  t.strictSame(view.list({ limit: 9 }).items, [])
  await feeder.apply({ calls: [onCalls(callOf('a', { move: 7 })), onCalls(callOf('b', { generation: 2 }))] })
  t.strictSame(
    [stateOf(view, 'a'), stateOf(view, 'b')],
    [
      ['queued', 1, undefined],
      ['queued', 2, undefined],
    ],
  )
})

t.test('what no id and no key can be', async (t) => {
  const { view } = openView(t)
  const feeder = new Feeder(view)
  const long = 'a'.repeat(3_000)
  await feeder.apply({
    claims: [
      { key: long, value: encodeClaim({ id: 'a', payload: '', record: none }) },
      { key: 'of a long id', value: encodeClaim({ id: long, payload: '', record: none }) },
    ],
    control: [{ key: long, value: encodeDirective(directiveFor(long, {})) }],
    calls: [{ key: long, value: encodeCall(callOf(long)) }],
  })
  for (const id of ['', long, 'of a long id', '\0', '\ud800', '__proto__']) {
    t.strictSame([view.get(id), view.response(id), view.waiting(id), view.deadLetter(id)], Array(4).fill(undefined))
    t.strictSame([view.directive(id), view.claim(id)], [undefined, undefined])
  }
})

t.test('positions are those of what was applied, and a batch from elsewhere is refused', async (t) => {
  const { view } = openView(t)
  const record = { partition: 0, offset: 0, appendedAtMs: NOW_MS, ...onCalls(callOf('a')) }
  const change = { log: 'calls' as const, from: undefined, to: '1', records: [record] }
  t.equal(view.position('calls'), undefined)
  t.equal(await view.apply([change, { ...change, from: '1', to: '2' }]), 'applied')
  t.equal(view.position('calls'), '2')
  t.equal(view.position('journal'), undefined)
  const other = { ...onCalls(callOf('b')), partition: 0, offset: 0, appendedAtMs: NOW_MS }
  const journal = { log: 'journal' as const, from: undefined, to: '1', records: [] }
  for (const from of [undefined, '1', '3']) {
    t.equal(await view.apply([journal, { log: 'calls', from, to: '9', records: [other] }]), 'behind')
  }
  t.equal(view.get('b'), undefined)
  t.equal(view.position('journal'), undefined, 'nothing of it is applied')
})
