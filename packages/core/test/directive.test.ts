import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  type Call,
  type Directive,
  decideVerdict,
  decodeDirective,
  directiveKey,
  encodeDirective,
  isAllDue,
  keptUntilMs,
  nextDirectiveNumber,
  prevails,
  readDirectiveKey,
} from '../src/index.js'
import { DAY_MS, NOW_MS, plain, validCall, validDirective } from './arbitraries.js'
import { failureOf } from './failure.js'
import { holds } from './property.js'

const move: Directive = {
  id: 'order-42',
  generation: 2,
  attempt: 3,
  kind: 'move',
  number: 10,
  askedAtMs: NOW_MS,
  dueMs: NOW_MS + 5,
  isDone: false,
  untilMs: NOW_MS + DAY_MS,
  record: Buffer.from('ab'),
}
const { dueMs: _, ...rest } = move
const cancel: Directive = { ...rest, kind: 'cancel' }

const call: Call = {
  id: 'order-42',
  generation: 2,
  attempt: 3,
  acceptedAtMs: NOW_MS,
  depth: 0,
  target: 'http://a/',
  method: 'POST',
  headers: {},
  body: Buffer.alloc(0),
}

t.test('any directive comes back as it was', async (t) => {
  holds(t, 'round trip', 1_000, validDirective, (directive) => {
    assert.deepEqual(plain(decodeDirective(encodeDirective(directive))), plain(directive))
  })
})

t.test('what is no directive is unreadable', async (t) => {
  const text = String(encodeDirective({ ...move, isDone: true, tooLate: 4 }))
  t.equal(decodeDirective(Buffer.from(text)).number, 10, 'the directive that the others are made of')
  const changes: [string, string][] = [
    ['"id":"order-42"', '"id":5'],
    ['"generation":2', '"generation":"2"'],
    ['"attempt":3', '"attempt":1.5'],
    ['"kind":"move"', '"kind":"stop"'],
    ['"number":10', '"number":null'],
    ['"askedAt":"2026', '"askedAt":"x'],
    ['"due":"2026', '"due":"x'],
    ['"due":"2026-06-01T12:00:00.005Z"', '"due":{"valueOf":1}'],
    ['"done":true', '"done":1'],
    ['"tooLate":4', '"tooLate":"4"'],
    ['"until":"2026', '"until":"x'],
    ['"bytes":2', '"bytes":3'],
    ['"bytes":2', '"count":2'],
    ['\nab', ''],
  ]
  for (const [from, to] of changes) {
    t.ok(text.includes(from), from)
    const changed = Buffer.from(text.replace(from, to))
    t.equal(failureOf(() => decodeDirective(changed)).code, 'record-unreadable', `${from} to ${to}`)
  }
  t.equal(failureOf(() => decodeDirective(Buffer.alloc(0))).code, 'record-unreadable')
})

t.test('each kind has a key of its own, which says whose it is', async (t) => {
  t.not(directiveKey(move), directiveKey(cancel))
  for (const { id, kind } of [move, cancel]) t.strictSame(readDirectiveKey(directiveKey({ id, kind })), { id, kind })
})

t.test('numbers grow, from one directive to the next and with the time', async (t) => {
  holds(
    t,
    'numbers',
    1_000,
    fc.tuple(fc.nat(DAY_MS), fc.nat(DAY_MS), fc.double({ min: 0, max: 0.999, noNaN: true })),
    (values) => {
      const [firstMs, moreMs, random] = values
      const first = nextDirectiveNumber(NOW_MS + firstMs, 0, random)
      assert.ok(Number.isSafeInteger(first))
      assert.ok(nextDirectiveNumber(NOW_MS + firstMs - moreMs, first, random) > first, 'with a clock that is behind')
      assert.ok(nextDirectiveNumber(NOW_MS + firstMs + 1, 0, 0) > first, 'of one who does not know the first')
    },
  )
})

t.test('a cancellation is of its whole generation', async (t) => {
  for (const attempt of [1, 3, 4]) {
    t.equal(decideVerdict({ ...call, attempt }, cancel), 'cancel', `attempt ${attempt}`)
    t.equal(decideVerdict({ ...call, attempt, move: 99 }, { ...cancel, isDone: true }), 'over', `attempt ${attempt}`)
  }
  t.equal(decideVerdict({ ...call, generation: 3 }, cancel), 'call', 'the next generation')
})

t.test('a move is of its attempt, and of records that were not moved since', async (t) => {
  const done = { ...move, isDone: true }
  for (const before of [undefined, 0, 9]) {
    const record = before === undefined ? call : { ...call, move: before }
    t.equal(decideVerdict(record, move), 'move')
    t.equal(decideVerdict(record, done), 'moved')
  }
  for (const directive of [move, done]) {
    for (const number of [10, 11]) t.equal(decideVerdict({ ...call, move: number }, directive), 'call')
    t.equal(decideVerdict({ ...call, attempt: 4 }, directive), 'call', 'the next attempt')
    t.equal(decideVerdict({ ...call, attempt: 2 }, directive), 'over', 'the one before')
    t.equal(decideVerdict({ ...call, generation: 3, attempt: 1 }, directive), 'call', 'the next generation')
    t.equal(decideVerdict({ ...call, generation: 1, attempt: 9, move: 99 }, directive), 'over', 'the one before')
  }
})

t.test('a move that came too late leaves the attempt that was made, and what was moved to it', async (t) => {
  const late = { ...move, isDone: true, tooLate: 7 }
  t.strictSame(
    [undefined, 6, 7, 8].map((number) => decideVerdict(number ? { ...call, move: number } : call, late)),
    ['moved', 'moved', 'call', 'call'],
  )
  t.equal(decideVerdict(call, { ...late, tooLate: 0 }), 'call')
})

t.test('what counts is the same for all, in whatever order they read', async (t) => {
  const directives = fc.array(validDirective, { minLength: 1, maxLength: 5 }).map((list) =>
    // Few enough values that they are often equal.
    list.map((each) => ({ ...each, generation: 1 + (each.generation % 2), number: each.number % 3 })),
  )
  const strongest = (list: readonly Directive[]): unknown[] => {
    const { generation, isDone, kind, number } = list.reduce((best, one) => (prevails(one, best) ? one : best))
    return [generation, isDone, kind, number]
  }
  holds(t, 'order', 1_000, directives, (list) => {
    assert.deepEqual(strongest([...list].reverse()), strongest(list))
    for (const one of list) assert.ok(prevails(one, one), 'what is read again counts')
  })
  t.ok(prevails({ ...move, generation: 3, number: 1 }, cancel), 'the later generation')
  t.ok(prevails({ ...cancel, number: 1 }, { ...move, isDone: true }), 'a cancellation over a move')
  t.notOk(prevails({ ...move, number: 99 }, cancel), 'whenever that was asked')
  t.ok(prevails({ ...move, number: 11 }, { ...move, isDone: true }), 'the later one')
  t.ok(prevails({ ...move, isDone: true }, move), 'what is done')
  t.notOk(prevails(move, { ...move, isDone: true }))
})

t.test('a directive is kept while a record may come that it is about', async (t) => {
  const untilMs = keptUntilMs(NOW_MS, NOW_MS + 5 * DAY_MS)
  t.equal(untilMs, NOW_MS + 35 * DAY_MS)
  t.equal(keptUntilMs(NOW_MS), NOW_MS + 30 * DAY_MS)
  t.equal(keptUntilMs(NOW_MS, NOW_MS - DAY_MS), NOW_MS + 30 * DAY_MS, 'what is overdue is yet to come')
  t.equal(keptUntilMs(NOW_MS, NOW_MS + DAY_MS, { untilMs }), untilMs, 'and what was moved before')
  t.notOk(isAllDue({ ...move, untilMs }, NOW_MS + 5 * DAY_MS - 1))
  t.ok(isAllDue({ ...move, untilMs }, NOW_MS + 5 * DAY_MS))
})

t.test('whatever a directive says, a call that it is not about is made', async (t) => {
  holds(t, 'verdict', 1_000, fc.tuple(validCall, validDirective), ([any, directive]) => {
    const later = { ...any, generation: directive.generation + 1 }
    assert.equal(decideVerdict(later, directive), 'call')
    const verdict = decideVerdict({ ...any, generation: directive.generation, attempt: directive.attempt }, directive)
    const isOpen = verdict === 'cancel' || verdict === 'move'
    if (isOpen) assert.equal(directive.isDone, false)
    if (directive.kind === 'cancel') assert.equal(verdict, directive.isDone ? 'over' : 'cancel')
  })
})
