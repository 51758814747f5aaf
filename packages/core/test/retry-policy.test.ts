import t from 'tap'
import { CALL_ERRORS, DEFAULT_RETRY_POLICY, decideSequel, ERRORS, policyOf, type RetryPolicy } from '../src/index.js'
import { NOW_MS } from './arbitraries.js'

const call = {
  ...{ id: 'a', generation: 1, attempt: 1, acceptedAtMs: NOW_MS, depth: 0 },
  ...{ target: 'http://a/', method: 'POST', headers: {}, body: new Uint8Array(0) },
}

const isTriedAgain = (status: number, statuses: readonly string[]): boolean => {
  const response = { status, headers: {}, body: new Uint8Array(0), bodyBytes: 0 }
  const outcome = { kind: 'answered', startedAtMs: NOW_MS, durationMs: 1, response } as const
  return decideSequel(call, outcome, { ...DEFAULT_RETRY_POLICY, statuses }, NOW_MS, 0).state === 'retrying'
}

t.test('what one layer does not say the next one says', async (t) => {
  const byFunction: Partial<RetryPolicy> = { maxAttempts: 9, factor: 3, statuses: ['5xx'] }
  const byInstruction: Partial<RetryPolicy> = { factor: 1, errors: [] }
  t.strictSame(policyOf(DEFAULT_RETRY_POLICY), DEFAULT_RETRY_POLICY)
  t.strictSame(policyOf(undefined, undefined, DEFAULT_RETRY_POLICY), DEFAULT_RETRY_POLICY)
  t.strictSame(policyOf(byInstruction, byFunction, DEFAULT_RETRY_POLICY), {
    ...DEFAULT_RETRY_POLICY,
    ...{ maxAttempts: 9, factor: 1, statuses: ['5xx'], errors: [] },
  })
  t.equal(DEFAULT_RETRY_POLICY.factor, 2, 'and none of them changes')
})

t.test('a status, a class, and a range of them', async (t) => {
  const statusesOf = (entry: string): number[] =>
    Array.from({ length: 700 }, (_, status) => status).filter(
      (status) => status >= 300 && isTriedAgain(status, [entry]),
    )
  t.strictSame(statusesOf('429'), [429])
  t.strictSame([statusesOf('4xx').at(0), statusesOf('4xx').at(-1), statusesOf('4xx').length], [400, 499, 100])
  t.strictSame([statusesOf('401-5xx').at(0), statusesOf('401-598').at(-1)], [401, 598])
  t.strictSame(statusesOf('504-502'), [502, 503, 504], 'whichever end stands first')
  t.ok(isTriedAgain(699, ['5xx']), 'one beyond all classes is taken for a 5xx')
  t.notOk(isTriedAgain(503, []))
})

t.test('the errors of calls are those that the table says are tried again', async (t) => {
  const retriable = Object.entries(ERRORS).filter(([, { retriable, status }]) => retriable && status === 0)
  // An answer has its status, or its wish; a newer record stops the listener.
  const others = ['status', 'asked-again', 'record-version']
  const ofCalls = retriable.map(([code]) => code).filter((code) => !others.includes(code))
  // Whoever asks for what is not there is wrong; whoever calls it may know of it later.
  t.strictSame([...ofCalls, 'unknown-function'], CALL_ERRORS)
  t.strictSame(DEFAULT_RETRY_POLICY.errors, CALL_ERRORS)
})
