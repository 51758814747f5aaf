import t from 'tap'
import { ERRORS, type FieldError, PosthasteError } from '../src/index.js'

const STATUSES = [0, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 502, 503, 504]

t.test('the table of errors', async (t) => {
  t.ok(Object.keys(ERRORS).length > 30)
  for (const [code, entry] of Object.entries(ERRORS)) {
    t.match(code, /^[a-z]+(-[a-z]+)*$/, `${code} is kebab-case`)
    t.match(entry.title, /^[A-Z].*[^.]\.$/, `${code} has a sentence for a title`)
    t.ok(STATUSES.includes(entry.status), `${code} has status ${entry.status}`)
    const passes = entry.status === 429 || entry.status >= 500
    if (entry.status > 0)
      t.equal(entry.retriable, passes, `${code}: only our own faults pass, and what comes too often`)
  }
})

t.test('what never reaches a client is of use to try again, but for these', async (t) => {
  const forGood = Object.entries(ERRORS).filter(([, entry]) => entry.status === 0 && !entry.retriable)
  t.strictSame(
    forGood.map(([code]) => code),
    ['cancelled', 'expired', 'record-unreadable', 'invalid-configuration', 'stream-unfit'],
  )
})

const field = (pointer: string, code: FieldError['code'] = 'invalid-field'): FieldError => ({
  pointer,
  code,
  detail: 'No.',
})

t.test('an error of fields has the code of the first', async (t) => {
  const error = PosthasteError.ofFields([field('/a', 'invalid-url'), field('/b')])
  t.equal(error.code, 'invalid-url')
  t.equal(error.message, '/a: No.')
  t.strictSame(error.fields, [field('/a', 'invalid-url'), field('/b')])
  t.equal(PosthasteError.ofFields([field('')]).message, 'What was sent: No.')
})

t.test('an error names twenty fields at the most', async (t) => {
  const fields = Array.from({ length: 1_000 }, (_, i) => field(`/${i}`))
  t.strictSame(PosthasteError.ofFields(fields).fields, fields.slice(0, 20))
})

t.test('an error keeps its cause', async (t) => {
  const cause = new Error('why')
  t.equal(new PosthasteError('internal', 'x', { cause }).cause, cause)
  t.notOk('cause' in new PosthasteError('internal', 'x'))
})
